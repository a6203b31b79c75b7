// SPDX-License-Identifier: MIT
// The median by selection equals the median by sorting, to the bit, on friendly and hostile data.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"
#include "rpsd/cpu.hpp"

namespace {

constexpr unsigned kSeed = 7;

template <class T>
double by_sorting(std::vector<T> x) {
  for (auto& v : x) v = std::abs(v);
  std::sort(x.begin(), x.end());
  const std::size_t n = x.size();
  const double low = static_cast<double>(x[(n - 1) / 2]), high = static_cast<double>(x[n / 2]);
  return low == high ? low : (low + high) / 2;
}

template <class T>
void check(const rpsd::kernels::Table<T>& table, const std::vector<T>& x) {
  // Guards on both sides: the selection may write to n values of the scratch and to nothing else.
  std::vector<T> scratch(x.size() + 2, T(-7)), before = x;
  CHECK(table.median_abs(x.data(), x.size(), scratch.data() + 1) == by_sorting(x));
  CHECK(scratch.front() == T(-7) && scratch.back() == T(-7));
  CHECK(std::memcmp(x.data(), before.data(), x.size() * sizeof(T)) == 0);
}

// Any finite bit pattern.
template <class T>
T any_number(std::mt19937_64& generator) {
  T value;
  do {
    const std::uint64_t bits = generator();
    std::memcpy(&value, &bits, sizeof value);
  } while (!std::isfinite(value));
  return value;
}

template <class T>
void check_all(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  std::vector<std::size_t> lengths;
  for (std::size_t n = 1; n < 300; ++n) lengths.push_back(n);
  lengths.insert(lengths.end(), {511, 512, 513, 1000, 4097, 20000, 32767, 32768, 70001});
  for (const std::size_t n : lengths) {
    const T smallest = std::numeric_limits<T>::denorm_min();
    std::vector<T> noise(n), constant(n, T(3)), two(n), tick(n), cents(n), rare(n), rising(n), falling(n), pipe(n),
        spikes(n), zeros(n, T(-0.0)), any(n), tiny(n), narrow(n), halves(n), powers(n);
    for (std::size_t i = 0; i < n; ++i) {
      noise[i] = static_cast<T>(normal(generator));
      two[i] = static_cast<T>(generator() % 2);
      tick[i] = static_cast<T>(std::round(normal(generator))) / 4;
      cents[i] = static_cast<T>(100 + std::round(normal(generator) * 3) / 100) - T(100);
      rare[i] = generator() % 10 ? T(0) : static_cast<T>(normal(generator));
      rising[i] = static_cast<T>(i);
      falling[i] = -static_cast<T>(n - i);
      pipe[i] = static_cast<T>(std::min(i, n - i));
      spikes[i] = i % 97 == 0 ? std::numeric_limits<T>::max() : smallest;
      any[i] = any_number<T>(generator);
      tiny[i] = smallest * static_cast<T>(generator() % 5000);
      // Apart only in the last bits.
      narrow[i] = T(1) + std::numeric_limits<T>::epsilon() * static_cast<T>(generator() % 1000);
      halves[i] = i < n / 2 ? smallest : std::numeric_limits<T>::max() / 4;
      powers[i] = std::ldexp(T(1), -static_cast<int>(generator() % 100));
    }
    for (const auto& x : {noise, constant, two, tick, cents, rare, rising, falling}) check(table, x);
    for (const auto& x : {pipe, spikes, zeros, any, tiny, narrow, halves, powers}) check(table, x);
  }
  // Periodic patterns, some in step with a sample of 32 or 1024.
  for (const std::size_t n : {6400, 65536})
    for (const std::size_t period : {2, 3, 50, 64, 200, 333}) {
      std::vector<T> hidden(n, T(1));
      for (std::size_t i = 0; i < n; i += period) hidden[i] = T(1000 + i);
      check(table, hidden);
    }
}

// Mixtures of ties and noise: the ranks fall near the end of a run of ties, and brackets hold, miss and overlap.
template <class T>
void check_mixtures(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t n = 33 + generator() % (round % 20 ? 400 : 14000);
    const std::uint64_t percent = generator() % 100, kind = generator() % 3;
    const double scale = std::ldexp(1.0, static_cast<int>(generator() % 12));
    std::vector<T> x(n);
    for (auto& v : x) {
      const double z = normal(generator);
      const double tied[] = {std::round(scale * z), 1.0 + static_cast<double>(generator() % 3),
                             1000 + std::round(3 * z) / 100};
      v = static_cast<T>(generator() % 100 < percent ? tied[kind] : kind == 2 ? tied[2] : z);
    }
    check(table, x);
  }
}

// Moves between prices on ticks: each number of ticks is a few values that differ by rounding, many times each, so that
// both ends of a bracket are tied and the ranks may lie beyond either.
template <class T>
void check_moves_on_ticks(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 20000; ++round) {
    std::vector<T> x(33 + generator() % 300);
    const double step = 0.3 + static_cast<double>(generator() % 30) / 10;
    double walk = 0, before = 100;
    for (auto& v : x) {
      walk += step * normal(generator);
      const double price = 100 + std::round(walk) * 0.01;
      v = static_cast<T>(price - before);
      before = price;
    }
    check(table, x);
  }
}

// Many ties, on one side or on both, whose end lies on the wanted ranks or near them, among noise.
template <class T>
void check_half_tied(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  for (const std::size_t n : {200, 1001, 40000, 40001})
    for (const int off : {-2000, -200, -20, -2, -1, 0, 1, 2, 20, 200, 2000})
      for (const int upper : {0, 50, 75, 98, 100}) {
        const std::size_t ties = static_cast<std::size_t>(static_cast<double>(n) * (0.5 + off * 2e-5)) + off % 20;
        std::vector<T> x(n);
        // Ties at 1 first, then those at 2, which take `upper` per cent of the others; the rest lies about them.
        const std::size_t others = ties + (n - ties) * static_cast<std::size_t>(upper) / 100;
        for (std::size_t i = 0; i < n; ++i) {
          const double z = std::abs(normal(generator));
          const double rest = upper == 50 ? 1 + z / (1 + z) : upper == 75 ? 3 + z : z;
          x[i] = static_cast<T>(i < ties ? 1 : i < others ? 2 : rest);
        }
        std::shuffle(x.begin(), x.end(), generator);
        check(table, x);
        // Seen from the other side.
        for (auto& v : x) v = v == T(1) ? T(9) : v;
        check(table, x);
      }
}

// Large values wherever the selection draws its first samples, whose every bracket then misses.
template <class T>
void check_misled(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  for (const std::size_t n : {1999, 2000, 6400}) {
    std::vector<T> x(n);
    for (auto& v : x) v = static_cast<T>(normal(generator));
    const std::size_t stride = n / 32;
    for (std::uint32_t attempt = 0; attempt < 12; ++attempt)
      for (std::uint32_t t = 0; t < 32; ++t) {
        const std::uint64_t share = ((t + attempt) * 0x9E3779B1u) >> 16;
        x[t * stride + static_cast<std::size_t>(share * stride >> 16)] = static_cast<T>(1000 + t);
      }
    check(table, x);
  }
}

}  // namespace

int main() {
  std::vector<const rpsd::kernels::Kernels*> tables;
  for (const auto& isa : rpsd::supported_isas()) {
    if (isa == "baseline") tables.push_back(rpsd_kernels_baseline());
#if defined(RPSD_HAVE_V3)
    if (isa == "v3") tables.push_back(rpsd_kernels_v3());
#endif
#if defined(RPSD_HAVE_V4)
    if (isa == "v4") tables.push_back(rpsd_kernels_v4());
#endif
  }
  // A forced instruction set alone, which spares emulated processors the others.
  if (std::getenv("RPSD_ISA") != nullptr) tables = {&rpsd::active_kernels()};
  for (const auto* table : tables) {
    check_all(table->f64);
    check_all(table->f32);
    check_mixtures(table->f64);
    check_mixtures(table->f32);
    check_moves_on_ticks(table->f64);
    check_moves_on_ticks(table->f32);
    check_half_tied(table->f64);
    check_half_tied(table->f32);
    check_misled(table->f64);
    check_misled(table->f32);
  }
  return failed();
}
