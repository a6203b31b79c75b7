// SPDX-License-Identifier: MIT
#include "rpsd/noise_test.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rpsd {
namespace {

// A sample whose noise variance is this much above the base is a bad tick, and does not count for the noise level.
constexpr double kOutlierShape = 30;
// Each of the two tests alone fails on some walk without noise (heavy or moving steps); the smaller one's 0.95 quantile
// is 1.1 to 2.0 on eight kinds of such walks.
constexpr double kLeastZ = 2.6;
constexpr double kShrinkZ = 2.4;
constexpr std::size_t kArrays = 6;

double square(double v) noexcept { return v * v; }

// The log ratio of noise to step variance that maximises the predictive likelihood of a step mixture, whose scales were
// fitted to the same data: the total variance of a return is held while the ratio moves.
struct Profile {
  const PriceSeries* series;
  const PriceModel* model;
  double total;  // 2 noise + step variance
  const double* counted;  // samples that count
  std::array<double, kStepScales> steps;
  std::array<double, kNoiseScales> noises;
  double *q, *r;

  ScaleMixture at(double log_ratio) const noexcept {
    const double ratio = std::exp(log_ratio), step = total / (1 + 2 * ratio);
    for (std::size_t t = 0; t < series->n; ++t) q[t] = step * model->volatility[t];
    std::fill(r, r + series->n, ratio * step);
    return {{series->y, counted, q, r, series->n}, steps.data(), noises.data()};
  }
};

void evaluate(const std::vector<Profile>& profiles, const std::vector<double>& log_ratios, double* out) {
  std::vector<ScaleMixture> mixtures;
  for (std::size_t k = 0; k < profiles.size(); ++k) mixtures.push_back(profiles[k].at(log_ratios[k]));
  mixture_log_likelihood(mixtures.data(), mixtures.size(), out);
}

// Golden section in step for all profiles: the same number of evaluations for each.
std::vector<double> maximise(const std::vector<Profile>& profiles) {
  constexpr double kGolden = 0.6180339887498949, kLow = -9, kHigh = 6, kTolerance = 0.03;
  const std::size_t count = profiles.size();
  std::vector<double> a(count, kLow), b(count, kHigh), c(count, kHigh - kGolden * (kHigh - kLow)),
      d(count, kLow + kGolden * (kHigh - kLow)), fc(count), fd(count), x(count), f(count);
  evaluate(profiles, c, fc.data());
  evaluate(profiles, d, fd.data());
  for (double width = kHigh - kLow; width > kTolerance; width *= kGolden) {
    std::vector<bool> left(count);
    for (std::size_t k = 0; k < count; ++k) {
      left[k] = fc[k] > fd[k];
      if (left[k]) {
        b[k] = d[k];
        d[k] = c[k];
        fd[k] = fc[k];
        x[k] = c[k] = b[k] - kGolden * (b[k] - a[k]);
      } else {
        a[k] = c[k];
        c[k] = d[k];
        fc[k] = fd[k];
        x[k] = d[k] = a[k] + kGolden * (b[k] - a[k]);
      }
    }
    evaluate(profiles, x, f.data());
    for (std::size_t k = 0; k < count; ++k) (left[k] ? fc[k] : fd[k]) = f[k];
  }
  for (std::size_t k = 0; k < count; ++k) x[k] = (a[k] + b[k]) / 2;
  return x;
}

// Noise makes neighbouring returns of opposite sign: the sum of their products, studentised.
double autocovariance_z(const PriceSeries& series, const NoiseTest& test) noexcept {
  double sum = 0, squares = 0, previous_y = 0, previous_u = 0;
  int samples = 0;
  for (std::size_t t = 0; t < series.n; ++t) {
    if (series.seen[t] == 0 || test.outlier[t] != 0) continue;
    const double u = samples > 0 ? (series.y[t] - previous_y) / std::sqrt(test.step_shape[t]) : 0;
    if (samples > 1) {
      const double product = u * previous_u;
      sum += product;
      squares += product * product;
    }
    previous_y = series.y[t];
    previous_u = u;
    ++samples;
  }
  return squares > 0 ? -sum / std::sqrt(squares) : 0;
}

template <std::size_t N>
std::array<double, N> main_weights(const std::array<double, N>& weights) noexcept {
  std::array<double, N> w{};
  double total = 0;
  for (std::size_t k = 0; k < N; ++k) total += w[k] = weights[k] > 1e-4 ? weights[k] : 0;
  for (double& v : w) v /= total;
  return w;
}

void place(const PriceSeries& s, const PriceModel& m, NoiseTestScratch& scratch, NoiseTest& test, double*& counted) {
  double* const at = scratch.arrays.get(kArrays * s.n);
  test = NoiseTest{};
  test.step_shape = at;
  test.noise_shape = at + s.n;
  test.outlier = at + 2 * s.n;
  counted = at + 3 * s.n;
  for (std::size_t t = 0; t < s.n; ++t) {
    const double shape = m.r[t] / m.noise_variance;
    test.step_shape[t] = m.q[t] / m.step_variance;
    test.outlier[t] = shape > kOutlierShape && s.seen[t] != 0 ? 1 : 0;
    test.noise_shape[t] = test.outlier[t] != 0 ? 1 : shape;
    counted[t] = s.seen[t] * (1 - test.outlier[t]);
    test.outliers += test.outlier[t] != 0;
  }
}

}  // namespace

void test_noise(const PriceSeries* series, const PriceModel* models, std::size_t count, NoiseTest* tests,
                NoiseTestScratch* scratch) {
  std::vector<double*> counted(count);
  std::vector<LevelData> data(count);
  std::vector<LevelFit> fits(count);
  for (std::size_t k = 0; k < count; ++k) {
    place(series[k], models[k], scratch[k], tests[k], counted[k]);
    data[k] = {series[k].y, counted[k], tests[k].step_shape, tests[k].noise_shape, series[k].n};
  }
  fit_local_level(data.data(), fits.data(), count);

  std::vector<Profile> profiles;
  std::vector<std::size_t> profiled;
  for (std::size_t k = 0; k < count; ++k) {
    const PriceModel& m = models[k];
    tests[k].noise_variance = fits[k].noise_variance;
    tests[k].step_variance = fits[k].step_variance;
    tests[k].z = std::sqrt(std::max(0.0, 2 * (fits[k].log_likelihood - fits[k].log_likelihood_no_noise)));
    if (!m.parts.steps) continue;
    profiled.push_back(k);
    double* const q = counted[k] + series[k].n;
    profiles.push_back({&series[k], &m, 2 * m.noise_variance + m.step_variance,
                        m.parts.noise ? series[k].seen : counted[k], main_weights(m.step_weights),
                        main_weights(m.noise_weights), q, q + series[k].n});
  }
  if (!profiles.empty()) {
    constexpr double kNone = -14;
    const auto best = maximise(profiles);
    std::vector<double> most(best.size()), none(best.size());
    evaluate(profiles, best, most.data());
    evaluate(profiles, std::vector<double>(best.size(), kNone), none.data());
    for (std::size_t i = 0; i < best.size(); ++i) {
      NoiseTest& test = tests[profiled[i]];
      const double ratio = std::exp(best[i]);
      test.step_variance = profiles[i].total / (1 + 2 * ratio);
      test.noise_variance = ratio * test.step_variance;
      test.z = std::sqrt(std::max(0.0, 2 * (most[i] - none[i])));
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    NoiseTest& test = tests[k];
    test.z = std::min(test.z, autocovariance_z(series[k], test));
    test.believed = test.z > kLeastZ ? 1 - square(square(kShrinkZ / test.z)) : 0;
  }
}

double gain_probability(const NoiseTest& test) noexcept {
  const double z = test.z * (1 - test.believed / 2) - 0.7;
  return std::erfc(-z / std::sqrt(2.0)) / 2;
}

}  // namespace rpsd
