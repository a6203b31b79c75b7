// SPDX-License-Identifier: MIT
#include "rpsd/quality.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/fft.hpp"
#include "rpsd/parallel.hpp"

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

// About its mean; exactly zero for a constant series, which a rounded mean would not give.
std::vector<double> centred(std::vector<double> x) {
  if (std::all_of(x.begin(), x.end(), [&](double v) { return v == x[0]; })) return std::vector<double>(x.size(), 0.0);
  // Twice: the first mean of large prices is off by its own rounding.
  for (int pass = 0; pass < 2; ++pass) {
    const double mean = active_table<double>().sum(x.data(), x.size()) / static_cast<double>(x.size());
    for (double& v : x) v -= mean;
  }
  return x;
}

double dot(const std::vector<double>& x, const std::vector<double>& y) {
  double lanes[8] = {};
  for (std::size_t i = 0; i < x.size(); ++i) lanes[i % 8] += x[i] * y[i];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// The sign of the least-squares slope of the window at x: sum of (k - 14.5) x[k], summed by pairs from both ends so
// that a flat window gives exactly zero.
int slope_sign(const double* x) noexcept {
  double s = 0;
  for (std::size_t k = 0; k < kTrendWindow / 2; ++k)
    s += (static_cast<double>(kTrendWindow - 1) / 2 - static_cast<double>(k)) * (x[kTrendWindow - 1 - k] - x[k]);
  return (s > 0) - (s < 0);
}

double trend_agreement(const std::vector<double>& x, const std::vector<double>& y) {
  if (x.size() < kTrendWindow) return kNaN;
  const std::size_t windows = x.size() - kTrendWindow + 1;
  std::size_t agreeing = 0;
  for (std::size_t i = 0; i < windows; ++i) agreeing += slope_sign(&x[i]) == slope_sign(&y[i]);
  return static_cast<double>(agreeing) / static_cast<double>(windows);
}

// Of two centred series; one that is zero has no power, not the other's rounding. 0.1 Nyquist is a twentieth of the sampling rate: bins 1 .. floor(n / 20).
double power_agreement(const std::vector<double>& x, const std::vector<double>& y, bool x_is_zero, bool y_is_zero) {
  const std::size_t n = x.size();
  std::vector<std::complex<double>> z(n);
  for (std::size_t t = 0; t < n; ++t) z[t] = {x[t], y[t]};
  dft(z);
  // Two real transforms in one: X[k] = (Z[k] + conj Z[n-k]) / 2, Y[k] = (Z[k] - conj Z[n-k]) / 2i.
  double power_x = 0, power_y = 0;
  for (std::size_t k = 1; k <= n / 20; ++k) {
    power_x += x_is_zero ? 0.0 : std::norm(z[k] + std::conj(z[n - k]));
    power_y += y_is_zero ? 0.0 : std::norm(z[k] - std::conj(z[n - k]));
  }
  if (power_x == 0) return power_y == 0 ? 1.0 : 0.0;
  return 1 - std::abs(power_y - power_x) / power_x;
}

// 40, 25, 20 and 15 points; where the trend has no full window its points are shared out among the others.
double score_of(const Metrics& m) {
  const double earned = 40 * std::min(m.correlation / 0.85, 1.0) + 25 * std::max(0.0, 1 - m.rmse / 0.5) +
                        15 * std::min(m.power / 0.95, 1.0);
  const double score =
      std::isnan(m.trend) ? earned * 100 / 80 : earned + 20 * std::min(m.trend / 0.9, 1.0);
  return std::clamp(score, 0.0, 100.0);
}

}  // namespace

Metrics measure(const double* x, const double* y, std::size_t n) {
  thread_local std::vector<double> p, q;
  if (n == 0 || !filled(x, n, p) || !filled(y, n, q)) return {kNaN, kNaN, kNaN, kNaN, kNaN};
  if (p == q) return {1, 0, n < kTrendWindow ? kNaN : 1.0, 1, 100};
  const auto& kernel = active_table<double>();
  const int of_x = unit_exponent(p.data(), n, kernel.sum_squares(p.data(), n));
  const int of_y = unit_exponent(q.data(), n, kernel.sum_squares(q.data(), n));
  if (of_x != 0 || of_y != 0) {
    const int exponent = of_x != 0 && of_y != 0 ? std::max(of_x, of_y) : (of_x != 0 ? of_x : of_y);
    for (double& v : p) v = std::ldexp(v, -exponent);
    for (double& v : q) v = std::ldexp(v, -exponent);
  }
  const std::vector<double> u = centred(p), v = centred(q);
  std::vector<double> difference(n);
  for (std::size_t i = 0; i < n; ++i) difference[i] = p[i] - q[i];
  const double xx = dot(u, u), yy = dot(v, v);
  Metrics m{};
  m.correlation = xx > 0 && yy > 0 ? std::clamp(dot(u, v) / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0) : 0.0;
  m.rmse = std::sqrt(dot(difference, difference)) / std::sqrt(xx);
  m.trend = trend_agreement(p, q);
  m.power = power_agreement(u, v, xx == 0, yy == 0);
  m.score = score_of(m);
  return m;
}

void measure(Batch<const double> x, Batch<const double> y, Metrics* metrics, int threads) {
  active_kernels();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) metrics[r] = measure(x.row(r), y.row(r), x.length);
  });
}

}  // namespace rpsd
