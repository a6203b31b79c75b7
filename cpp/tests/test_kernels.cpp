// SPDX-License-Identifier: MIT
// Every instruction set that runs here gives the bits of the baseline, for every kernel, length and alignment.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"
#include "tables_here.hpp"

namespace {

constexpr unsigned kSeed = 20261123;

using rpsd::kernels::Kernels;
using rpsd::kernels::Table;

template <class T>
std::vector<T> random_values(std::size_t n, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  std::vector<T> x(n);
  for (auto& v : x) v = static_cast<T>(normal(generator));
  return x;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Everything a table computes from n samples that start `offset` elements into an allocation.
template <class T>
std::vector<std::vector<T>> outputs(const Table<T>& table, const std::vector<T>& x, std::size_t offset, std::size_t n) {
  std::vector<std::vector<T>> all;
  const T* p = x.data() + offset;
  for (const std::size_t half : {1, 2, 4, 7, 10, 11, 31}) {
    std::vector<T> taps(x.end() - static_cast<std::ptrdiff_t>(4 * half), x.end());
    std::vector<T> a(n), d(n), woven(2 * n);
    table.analysis(p, p + 3, n, taps.data(), half, a.data(), d.data());
    table.synthesis(p, p + 3, n, taps.data(), half, woven.data());
    std::vector<T> even((n + 1) / 2), odd(n / 2), same(n);
    table.analysis_split(p, p + 3, n, taps.data(), half, even.data(), odd.data(), same.data());
    CHECK(same_bits(d, same));
    for (std::size_t i = 0; i < n; ++i) CHECK((i % 2 == 0 ? even : odd)[i / 2] == a[i]);
    all.insert(all.end(), {a, d, woven});
  }
  for (const std::size_t taps : {1, 2, 9, 101}) {
    std::vector<T> y(n), folded(n), symmetric(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(taps));
    for (std::size_t k = 0; k < taps / 2; ++k) symmetric[taps - 1 - k] = symmetric[k];
    std::vector<T> scratch((2 * rpsd::kernels::kFirSegment + taps) * (64 / sizeof(T)));
    table.fir(p, n, x.data(), taps, y.data(), scratch.data());
    if (taps > 1) table.fir_symmetric(p, n, symmetric.data(), taps, folded.data(), scratch.data());
    all.insert(all.end(), {y, folded});
  }
  std::vector<T> even((n + 1) / 2), odd(n / 2), scalars;
  table.split(p, n, even.data(), odd.data());
  all.insert(all.end(), {even, odd});
  // Reductions are doubles: kept as bytes of T.
  std::vector<double> sums = {table.sum(p, n), table.sum_squares(p, n), table.all_finite(p, n) ? 1.0 : 0.0};
  std::vector<T> scratch(n);
  if (n > 0) sums.push_back(table.median_abs(p, n, scratch.data()));
  std::vector<T> bytes(sums.size() * sizeof(double) / sizeof(T));
  std::memcpy(bytes.data(), sums.data(), sums.size() * sizeof(double));
  all.push_back(bytes);
  for (const T t : {T(0), T(0.5), T(10)}) {
    std::vector<T> soft(p, p + n), hard = soft, garrote = soft, firm = soft, scad = soft;
    table.soft(soft.data(), n, t, soft.data());
    table.hard(hard.data(), n, t, hard.data());
    table.garrote(garrote.data(), n, t, garrote.data());
    table.firm(firm.data(), n, t, 2 * t, firm.data());
    table.scad(scad.data(), n, t, scad.data());
    all.insert(all.end(), {soft, hard, garrote, firm, scad});
  }
  return all;
}

template <class T>
void compare(const Table<T>& baseline, const Table<T>& other, const char* isa) {
  std::mt19937_64 generator(kSeed);
  for (std::size_t n = 0; n < 140; n += n < 40 ? 1 : 13)
    for (const std::size_t offset : {0, 1, 5}) {
      const auto x = random_values<T>(n + 300, generator);
      const auto expected = outputs(baseline, x, offset, n), got = outputs(other, x, offset, n);
      for (std::size_t k = 0; k < expected.size(); ++k)
        if (!same_bits(expected[k], got[k]))
          std::fprintf(stderr, "%s differs: seed %u, n %zu, offset %zu, output %zu\n", isa, kSeed, n, offset, k),
              ++failure_count();
    }
}

// Everything the guardrails' table computes from n >= 1 samples.
std::vector<double> quality_outputs(const Kernels& kernels, const double* x, const double* y, std::size_t n) {
  const auto& table = kernels.quality;
  std::vector<double> u(n), v(n), out(2 + 48);
  table.level_sums(x, n, out.data());
  table.centre(x, y, n, 0.3, -0.7, u.data(), v.data(), out.data() + 2);
  out.insert(out.end(), u.begin(), u.end());
  out.insert(out.end(), v.begin(), v.end());
  out.push_back(static_cast<double>(table.agreeing_slopes(x, y, n)));
  for (const std::size_t step : {4, 7}) {
    const std::size_t count = n / step;
    std::vector<double> kept(count), lanes(8 * 21, 0.25);
    table.decimate(x, count, step, y, 56, kept.data());
    table.lagged_products(x, n, step, 21, lanes.data());
    out.insert(out.end(), kept.begin(), kept.end());
    out.insert(out.end(), lanes.begin(), lanes.end());
  }
  return out;
}

void compare_quality(const Kernels& baseline, const Kernels& other) {
  std::mt19937_64 generator(kSeed + 2);
  for (std::size_t n = 1; n < 300; n += n < 40 ? 1 : 13) {
    const auto x = random_values<double>(n + 100, generator), y = random_values<double>(n + 100, generator);
    CHECK(same_bits(quality_outputs(baseline, x.data() + n % 5, y.data() + n % 3, n),
                    quality_outputs(other, x.data() + n % 5, y.data() + n % 3, n)));
  }
}

// Against the definitions, in the documented order.
void check_quality_definitions() {
  std::mt19937_64 generator(kSeed + 3);
  const std::size_t n = 203, lags = 21, step = 6, taps = 48;
  const auto x = random_values<double>(n + 100, generator), y = random_values<double>(n + 100, generator);
  const auto& table = rpsd_kernels_baseline()->quality;
  std::vector<double> lanes(8 * lags), out(20);
  table.lagged_products(x.data(), n, 2, lags, lanes.data());
  table.decimate(x.data(), out.size(), step, y.data(), taps, out.data());
  for (std::size_t j = 0; j < lags; ++j) {
    double expected[8] = {};
    for (std::size_t i = 0; i < n; ++i) expected[i % 8] += x[i] * x[i + 2 + j];
    CHECK(std::memcmp(expected, lanes.data() + 8 * j, sizeof expected) == 0);
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    double s[8] = {};
    for (std::size_t k = 0; k < taps; ++k) s[k % 8] += y[k] * x[i * step + k];
    CHECK(out[i] == ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])));
  }
  std::size_t agreeing = 0;
  const auto sign = [](const double* p) {
    double s = 0;
    for (int k = 0; k < 15; ++k) s += (29 - 2 * k) * (p[29 - k] - p[k]);
    return (s > 0) - (s < 0);
  };
  for (std::size_t i = 0; i < n; ++i) agreeing += sign(&x[i]) == sign(&y[i]);
  CHECK(table.agreeing_slopes(x.data(), y.data(), n) == agreeing);
}

// The baseline against sums written out, in the documented order.
void check_definitions() {
  std::mt19937_64 generator(kSeed + 1);
  const auto x = random_values<double>(400, generator);
  const auto& table = rpsd_kernels_baseline()->f64;
  const std::size_t n = 77, half = 3;
  std::vector<double> a(n), d(n), woven(2 * n), y(n);
  table.analysis(x.data(), x.data() + 100, n, x.data() + 200, half, a.data(), d.data());
  table.synthesis(x.data(), x.data() + 100, n, x.data() + 200, half, woven.data());
  std::vector<double> folded(n), symmetric(x.begin() + 200, x.begin() + 209), work(8 * (2 * rpsd::kernels::kFirSegment + 9));
  for (std::size_t k = 0; k < 4; ++k) symmetric[8 - k] = symmetric[k];
  table.fir(x.data(), n, x.data() + 200, 5, y.data(), work.data());
  table.fir_symmetric(x.data(), n, symmetric.data(), 9, folded.data(), work.data());
  for (std::size_t i = 0; i < n; ++i) {
    double p = 0, q = 0, s = 0, pairs = 0;
    for (std::size_t m = half; m-- > 0;) {
      const double* c = x.data() + 200 + 4 * m;
      p = p + x[100 + i + m] * c[1] + x[i + m] * c[0];
      q = q + x[100 + i + m] * c[3] + x[i + m] * c[2];
    }
    for (std::size_t k = 0; k < 5; ++k) s = s + x[i + k] * x[200 + k];
    for (std::size_t k = 0; k < 4; ++k) pairs = pairs + (x[i + k] + x[i + 8 - k]) * symmetric[k];
    CHECK(a[i] == p && d[i] == q && woven[2 * i] == p && woven[2 * i + 1] == q && y[i] == s);
    CHECK(folded[i] == pairs + x[i + 4] * symmetric[4]);
  }
  double lanes[16] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i % 16] += x[i];
  for (const std::size_t width : {8, 4, 2, 1})
    for (std::size_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  CHECK(table.sum(x.data(), n) == lanes[0]);
}

// Magnitudes at a rule's own bounds and one number beside them, of either sign. hard keeps a tie, as PyWavelets does;
// the other rules are continuous there: no jump may be left at a tie. Enough values for whole vectors and a rest.
template <class T>
void check_ties(const Table<T>& table) {
  constexpr T t = T(0.75);
  const T below = std::nextafter(t, T(0)), above = std::nextafter(t, T(1)), knot = T(3.7) * t;
  const auto shrunk = [](auto rule, T magnitude) {
    std::vector<T> x(37), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? magnitude : -magnitude;
    rule(x.data(), x.size(), y.data());
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == (i % 2 == 0 ? y[0] : -y[0]));
    return y[0];
  };
  const auto soft = [&](T v) { return shrunk([&](auto x, auto n, auto y) { table.soft(x, n, t, y); }, v); };
  const auto hard = [&](T v) { return shrunk([&](auto x, auto n, auto y) { table.hard(x, n, t, y); }, v); };
  const auto garrote = [&](T v) { return shrunk([&](auto x, auto n, auto y) { table.garrote(x, n, t, y); }, v); };
  const auto firm = [&](T v) { return shrunk([&](auto x, auto n, auto y) { table.firm(x, n, t, 2 * t, y); }, v); };
  const auto scad = [&](T v) { return shrunk([&](auto x, auto n, auto y) { table.scad(x, n, t, y); }, v); };
  CHECK(hard(below) == 0 && hard(t) == t && hard(above) == above);
  CHECK(soft(below) == 0 && soft(t) == 0 && soft(above) == above - t);
  CHECK(garrote(below) == 0 && garrote(t) == 0 && garrote(above) > 0 && garrote(2 * t) == T(1.5) * t);
  CHECK(firm(below) == 0 && firm(t) == 0 && firm(above) == 2 * (above - t));
  CHECK(firm(T(1.5) * t) == t && firm(2 * t) == 2 * t && firm(3 * t) == 3 * t);
  CHECK(scad(below) == 0 && scad(t) == 0 && scad(above) == above - t && scad(2 * t) == t);
  CHECK(std::abs(scad(knot) - knot) <= std::numeric_limits<T>::epsilon() * knot && scad(4 * t) == 4 * t);
  // Nothing is below a threshold of zero: every rule keeps what came, a zero too.
  for (const T v : {T(0), std::numeric_limits<T>::min(), T(1)}) {
    const auto kept = [&](auto rule) { return shrunk([&](auto x, auto n, auto y) { rule(x, n, T(0), y); }, v) == v; };
    CHECK(kept(table.soft) && kept(table.hard) && kept(table.garrote) && kept(table.scad));
    CHECK(kept([&](auto x, auto n, T zero, auto y) { table.firm(x, n, zero, zero, y); }));
  }
}

}  // namespace

int main() {
  check_definitions();
  check_quality_definitions();
  const auto tables = tables_here();
  CHECK(!tables.empty());
  for (const auto* table : tables) {
    check_ties(table->f64);
    check_ties(table->f32);
    compare(tables[0]->f64, table->f64, table->isa);
    compare(tables[0]->f32, table->f32, table->isa);
    compare_quality(*tables[0], *table);
  }
  return failed();
}
