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

// Gaps filled, about its mean; false where there is nothing to measure.
bool centred(const double* x, std::size_t n, std::vector<double>& out) {
  out.assign(x, x + n);
  const Gaps gaps = find_gaps(out.data(), n);
  if (gaps.missing == n || gaps.first_infinite < n) return false;
  if (gaps.missing > 0) interpolate_missing(out.data(), n);
  if (std::all_of(out.begin(), out.end(), [&](double v) { return v == out[0]; })) {
    out.assign(n, 0.0);  // exactly, which a rounded mean would not give
    return true;
  }
  // Twice: the first mean of large prices is off by its own rounding.
  for (int pass = 0; pass < 2; ++pass) {
    const double mean = active_table<double>().sum(out.data(), n) / static_cast<double>(n);
    for (double& v : out) v -= mean;
  }
  return true;
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

// 0.1 Nyquist is a twentieth of the sampling rate: bins 1 .. floor(n / 20).
double power_agreement(const std::vector<double>& x, const std::vector<double>& y) {
  const std::size_t n = x.size();
  std::vector<std::complex<double>> z(n);
  for (std::size_t t = 0; t < n; ++t) z[t] = {x[t], y[t]};
  dft(z);
  // Two real transforms in one: X[k] = (Z[k] + conj Z[n-k]) / 2, Y[k] = (Z[k] - conj Z[n-k]) / 2i.
  double power_x = 0, power_y = 0;
  for (std::size_t k = 1; k <= n / 20; ++k) {
    power_x += std::norm(z[k] + std::conj(z[n - k]));
    power_y += std::norm(z[k] - std::conj(z[n - k]));
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

bool equal_or_both_missing(double a, double b) noexcept {
  return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace

Metrics measure(const double* x, const double* y, std::size_t n) {
  thread_local std::vector<double> u, v;
  if (n == 0 || !centred(x, n, u) || !centred(y, n, v)) return {kNaN, kNaN, kNaN, kNaN, kNaN};
  if (std::equal(x, x + n, y, equal_or_both_missing))
    return {1, 0, n < kTrendWindow ? kNaN : 1.0, 1, 100};
  Metrics m{};
  const double xx = dot(u, u), yy = dot(v, v);
  m.correlation = xx > 0 && yy > 0 ? std::clamp(dot(u, v) / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0) : 0.0;
  double difference = 0;
  {
    std::vector<double> p(x, x + n), q(y, y + n);
    interpolate_missing(p.data(), n);
    interpolate_missing(q.data(), n);
    for (std::size_t i = 0; i < n; ++i) p[i] -= q[i];
    difference = dot(p, p);
  }
  m.rmse = difference == 0 ? 0.0 : std::sqrt(difference) / std::sqrt(xx);
  m.trend = trend_agreement(u, v);
  m.power = power_agreement(u, v);
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
