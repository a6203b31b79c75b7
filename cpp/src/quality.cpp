// SPDX-License-Identifier: MIT
#include "rpsd/quality.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/spectrum.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Gaps filled; false where there is nothing to measure.
bool filled(const double* x, std::size_t n, std::vector<double>& out) {
  out.assign(x, x + n);
  const Gaps gaps = find_gaps(out.data(), n);
  if (gaps.missing == n || gaps.first_infinite < n) return false;
  if (gaps.missing > 0) interpolate_missing(out.data(), n);
  return true;
}

// Memory that a thread keeps for its next pair of series.
struct Workspace {
  std::vector<double> x, y;  // copies where samples are missing or squares would leave the range of double
  LowBand band;
  Decimator of_x, of_y;
  Buffer<double> low_x, low_y;
};

// Beyond this the spectrum's tables are too large to keep.
constexpr std::size_t kKeptLength = std::size_t{1} << 20;

struct Level {
  double mean, squares;
};

// The mean through differences from the first sample: exact for a constant series, and as good for large prices.
Level level(const double* x, std::size_t n) {
  double sums[2];
  active_kernels().quality.level_sums(x, n, sums);
  return {x[0] + sums[0] / static_cast<double>(n), sums[1]};
}

// All samples are finite, and so are their squares and sums.
bool ordinary(const Level& of) noexcept { return of.squares > 1e-200 && of.squares < 1e200; }

// Exponent of the largest magnitude; least of all where there is none but zero.
int peak_exponent(const std::vector<double>& v) noexcept {
  double peak = 0;
  for (const double value : v) peak = std::max(peak, std::abs(value));
  return peak > 0 ? std::ilogb(peak) : std::numeric_limits<int>::min();
}

// Brings x and y to where squares and sums of both are in range: by one power of two, or by one each where they are
// so far apart that the squares of the smaller would underflow. The original y is 2^result times larger beside x.
int scale(std::vector<double>& x, std::vector<double>& y) noexcept {
  constexpr int kFarApart = 300;  // the smaller is then nothing beside the larger in a double
  const auto& kernel = active_table<double>();
  const auto out_of_range = [&](const std::vector<double>& v) {
    return unit_exponent(v.data(), v.size(), kernel.sum_squares(v.data(), v.size())) != 0;
  };
  if (!out_of_range(x) && !out_of_range(y)) return 0;
  int of_x = peak_exponent(x), of_y = peak_exponent(y);
  const bool zero = std::min(of_x, of_y) == std::numeric_limits<int>::min();
  if (zero || std::abs(of_y - of_x) <= kFarApart) of_x = of_y = std::max(of_x, of_y);
  for (double& v : x) v = std::ldexp(v, -of_x);
  for (double& v : y) v = std::ldexp(v, -of_y);
  return of_y - of_x;
}

// One eight-lane sum.
double folded(const double* s) noexcept {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

// 40, 25, 20 and 15 points; where the trend has no full window its points are shared out among the others.
double score_of(const Metrics& m) {
  const double earned = 40 * std::min(m.correlation / 0.85, 1.0) + 25 * std::max(0.0, 1 - m.rmse / 0.5) +
                        15 * std::min(m.power / 0.95, 1.0);
  const double score =
      std::isnan(m.trend) ? earned * 100 / 80 : earned + 20 * std::min(m.trend / 0.9, 1.0);
  return std::clamp(score, 0.0, 100.0);
}

// Of x and 2^apart y; apart is 0, or so large or small that one is nothing beside the other.
Metrics measure_finite(const double* x, const double* y, std::size_t n, const Level& of_x, const Level& of_y,
                       int apart, Workspace& work) {
  const auto& kernel = active_kernels().quality;
  LowBand large;
  LowBand& band = n <= kKeptLength ? work.band : large;
  band.prepare(n);
  double* const low_x = work.low_x.get(band.outputs());
  double* const low_y = work.low_y.get(band.outputs());
  work.of_x.begin(band.filter(), n, low_x);
  work.of_y.begin(band.filter(), n, low_y);
  // In chunks that stay in the first cache.
  double lanes[6 * 8] = {};
  const std::size_t windows = n < kTrendWindow ? 0 : n - kTrendWindow + 1;
  std::size_t agreeing = 0;
  for (std::size_t i = 0; i < n; i += Decimator::kChunk) {
    check_stop();
    const std::size_t m = std::min(Decimator::kChunk, n - i);
    kernel.centre(x + i, y + i, m, of_x.mean, of_y.mean, work.of_x.room(), work.of_y.room(), lanes);
    work.of_x.take(m);
    work.of_y.take(m);
    if (i < windows) agreeing += kernel.agreeing_slopes(x + i, y + i, std::min(Decimator::kChunk, windows - i));
  }
  work.of_x.end();
  work.of_y.end();

  // The rounding of the means taken out.
  const double u = folded(lanes), v = folded(lanes + 8), count = static_cast<double>(n);
  const double xx = folded(lanes + 16) - u * u / count, yy = folded(lanes + 24) - v * v / count;
  const double xy = folded(lanes + 32) - u * v / count;
  const double difference = apart == 0 ? folded(lanes + 40) : (apart > 0 ? of_y.squares : of_x.squares);
  Metrics m{};
  if (apart == 0 && difference == 0 && std::equal(x, x + n, y)) return {1, 0, windows == 0 ? kNaN : 1.0, 1, 100};
  m.correlation = xx > 0 && yy > 0 ? std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0) : 0.0;
  m.rmse = std::ldexp(std::sqrt(difference) / std::sqrt(xx), std::max(apart, 0));
  m.trend = windows == 0 ? kNaN : static_cast<double>(agreeing) / static_cast<double>(windows);
  // A constant series has no power, not the other's rounding.
  BandPower power = band.power(low_x, low_y);
  if (xx == 0) power.x = 0;
  if (yy == 0) power.y = 0;
  power.y = std::ldexp(power.y, 2 * apart);
  m.power = power.x == 0 ? (power.y == 0 ? 1.0 : 0.0) : 1 - std::abs(power.y - power.x) / power.x;
  m.score = score_of(m);
  return m;
}

struct AutocorrelationMemory {
  Buffer<double> centred, products;
};

void autocorrelation_of(const double* x, std::size_t n, std::size_t lags, double* r) {
  auto& [centred, products] = of_this_thread<AutocorrelationMemory>();
  const auto& table = active_kernels();
  std::fill(r, r + lags, kNaN);
  Level of = level(x, n);
  // Zeros behind the series let every lag run over all of it.
  double* const u = centred.get(n + lags);
  std::copy(x, x + n, u);
  if (!ordinary(of)) {
    if (!table.f64.all_finite(x, n)) return;
    const int exponent = unit_exponent(x, n, table.f64.sum_squares(x, n));
    for (std::size_t i = 0; i < n; ++i) u[i] = std::ldexp(u[i], -exponent);
    of = level(u, n);
  }
  for (std::size_t i = 0; i < n; ++i) u[i] -= of.mean;
  // Twice: the mean of large prices was off by its rounding.
  const double rest = table.f64.sum(u, n) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) u[i] -= rest;
  std::fill(u + n, u + n + lags, 0.0);
  double* const lanes = products.get(8 * (lags + 1));
  std::fill(lanes, lanes + 8 * (lags + 1), 0.0);
  check_stop();
  for (std::size_t i = 0; i < n; i += Decimator::kChunk)
    table.quality.lagged_products(u + i, std::min(Decimator::kChunk, n - i), 0, lags + 1, lanes);
  const double energy = folded(lanes);
  if (energy == 0) return;
  for (std::size_t k = 0; k < lags; ++k) r[k] = folded(lanes + 8 * (k + 1)) / energy;
}

}  // namespace

Metrics measure(const double* x, const double* y, std::size_t n) {
  check_stop();
  auto& work = of_this_thread<Workspace>();
  if (n == 0) return {kNaN, kNaN, kNaN, kNaN, kNaN};
  Level of_x = level(x, n), of_y = level(y, n);
  int apart = 0;
  if (!ordinary(of_x) || !ordinary(of_y)) {
    auto &p = work.x, &q = work.y;
    if (!filled(x, n, p) || !filled(y, n, q)) return {kNaN, kNaN, kNaN, kNaN, kNaN};
    if (p == q) return {1, 0, n < kTrendWindow ? kNaN : 1.0, 1, 100};
    apart = scale(p, q);
    x = p.data();
    y = q.data();
    of_x = level(x, n);
    of_y = level(y, n);
  }
  return measure_finite(x, y, n, of_x, of_y, apart, work);
}

void measure(Batch<const double> x, Batch<const double> y, Metrics* metrics, int threads) {
  active_kernels();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) metrics[r] = measure(x.row(r), y.row(r), x.length);
  });
}

void autocorrelation(Batch<const double> x, std::size_t lags, double* r, int threads) {
  if (lags < 1 || lags >= x.length)
    throw std::invalid_argument("lags must be from 1 to the series' length less one, got " + std::to_string(lags) +
                                " for " + std::to_string(x.length) + " samples");
  active_kernels();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) autocorrelation_of(x.row(i), x.length, lags, r + i * lags);
  });
}

}  // namespace rpsd
