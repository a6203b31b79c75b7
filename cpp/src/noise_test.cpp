// SPDX-License-Identifier: MIT
#include "rpsd/noise_test.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace rpsd {
namespace {

// A sample whose noise variance is this much above the base is a bad tick, and does not count for the noise level.
constexpr double kOutlierShape = 30;
// The likelihood ratio believes heavy or moving steps to be noise, the sign test has less power: the smaller one counts.
// Of walks without noise, two in a hundred pass.
constexpr double kLeastZ = 2.05;
constexpr double kNone = -14;  // log ratio that stands for no noise in a profile
constexpr double kSure = 6;  // the estimate is as good as the truth
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

// Gain in dB, away from the ends, of the smoother made for a noise to step variance of a where it is r: its two-sided
// exponential weights have the error (2 a^2 + r (1 + 2 a)) / (1 + 4 a)^1.5 beside r.
double gain_db(double a, double r) noexcept {
  return -10 * std::log10((2 * a * a / r + 1 + 2 * a) / ((1 + 4 * a) * std::sqrt(1 + 4 * a)));
}

// How much noise to believe in: the ratio of variances with the largest expected gain, under a prior that is flat in
// the log ratio but for a share of near-clean series, which a short series cannot tell. The likelihood counts as much
// as the test does. likelihoods: of log ratios, over that of no noise.
template <class Likelihoods>
void believe(NoiseTest& test, std::size_t n, double ratio_z, const Likelihoods& likelihoods) {
  constexpr double kClean = 0.05, kCleanShare = 0.33, kCleanLength = 600;  // an NSR, its prior, and from where on
  constexpr double kRatio = 1.25, kLow = 0.2, kHigh = 54;                  // of NSRs
  constexpr int kBelow = -14, kAbove = 8;
  constexpr double kStep = 1.12;
  constexpr int kFewest = -45, kMost = 3;
  const double found = test.noise_variance / test.step_variance, nsr = std::sqrt(found);
  std::vector<double> ratios{kClean * kClean};
  for (int i = kBelow; i <= kAbove; ++i) {
    const double at = nsr * std::pow(kRatio, i);
    if (at >= kLow && at < kHigh) ratios.push_back(at * at);
  }
  if (ratios.size() == 1) ratios.push_back(kLow * kLow);
  std::vector<double> weights;
  for (const double r : ratios) weights.push_back(std::log(r));
  weights = likelihoods(weights);
  const double trust = std::min(1.0, square(test.z / ratio_z)), length = static_cast<double>(n) / kCleanLength;
  const double clean = kCleanShare * std::min(1.0, length * length * length);
  const double each = (1 - clean) * std::log(kRatio) / std::log(kHigh / kLow);
  double highest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = trust * weights[i] + std::log(i == 0 ? clean : each);
    highest = std::max(highest, weights[i]);
  }
  for (double& w : weights) total += w = std::exp(w - highest);
  double best = -std::numeric_limits<double>::infinity(), used = found;
  for (int k = kFewest; k <= kMost; ++k) {
    const double a = found * std::pow(kStep, k);
    double gain = 0;
    for (std::size_t i = 0; i < ratios.size(); ++i) gain += weights[i] / total * gain_db(a, ratios[i]);
    if (gain > best) {
      best = gain;
      used = a;
    }
  }
  test.believed = used / found;
  test.gain_offset_db = best - gain_db(used, used);
  test.gain_probability = 0;
  for (std::size_t i = 0; i < ratios.size(); ++i)
    if (gain_db(used, ratios[i]) > 0) test.gain_probability += weights[i] / total;
  test.gain_probability = std::min(test.gain_probability, 1.0);  // a sum of shares may be over it by rounding
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
    const auto best = maximise(profiles);
    const std::vector<double> no_noise(best.size(), kNone);
    std::vector<double> most(best.size()), none(best.size());
    evaluate(profiles, best, most.data());
    evaluate(profiles, no_noise, none.data());
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
    const double ratio_z = test.z;
    double* const fair = counted[k] + series[k].n;
    for (std::size_t t = 0; t < series[k].n; ++t) fair[t] = counted[k][t] * (1 - series[k].spike[t]);
    test.z = std::min(ratio_z, sign_test(series[k].y, fair, series[k].n, scratch[k].signs));
    test.gain_probability = std::erfc((0.7 - test.z) / std::sqrt(2.0)) / 2;
    if (test.z <= kLeastZ) continue;
    test.believed = 1;
    test.gain_probability = 1;
    if (test.z > kSure) continue;
    const auto profile = std::find_if(profiles.begin(), profiles.end(),
                                      [&](const Profile& p) { return p.series == &series[k]; });
    believe(test, series[k].n, ratio_z, [&](std::vector<double> log_ratios) {
      std::vector<double> out(log_ratios.size());
      if (profile == profiles.end()) {
        level_log_likelihoods(data[k], log_ratios.data(), log_ratios.size(), out.data());
        for (double& v : out) v -= fits[k].log_likelihood_no_noise;
        return out;
      }
      // One at a time: a profile has arrays for one model.
      double none;
      evaluate({*profile}, {kNone}, &none);
      for (std::size_t i = 0; i < out.size(); ++i) {
        evaluate({*profile}, {log_ratios[i]}, &out[i]);
        out[i] -= none;
      }
      return out;
    });
  }
}

}  // namespace rpsd
