// SPDX-License-Identifier: MIT
#include "price_gain.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/scale_mixture.hpp"

namespace rpsd {
namespace {

// Twice the square root of pi standard deviations of a Gaussian kernel.
constexpr double kVolatilitySamples = 2 * 1.7724538509055160 * kVolatilityBandwidth;

constexpr double kLeastVariance = 1e-12;  // of a site, in steps' variances

double square(double v) noexcept { return v * v; }

// The doubt about the steps between the samples [begin, end).
double step_doubt(const Work& w, const PriceModel& model, std::size_t begin, std::size_t end) {
  if (end < begin + 2) return 0;
  const double least = kLeastVariance * w.test.step_variance;
  StepSites sites{w.mean + begin, w.step_square + begin, model.volatility + begin, w.q + begin, end - begin, least,
                  w.test.step_variance, {}, w.r + begin, model.q + begin};
  std::copy(model.step_weights.begin(), model.step_weights.end(), sites.weights);
  return update_step_sites(sites).doubt;
}

// What not knowing which steps are jumps and which samples are bad adds to the errors' variance. A site's doubt spreads to
// the levels around it, which follow it by lambda^distance, half of a step to each side; and doubts of sites near each
// other add up to more than their sum, by factors found on simulated series (docs/decisions/0010-price-model.md).
// Works on w.r and the model's q, which are of no use afterwards.
double scale_doubt(Work& w, const PriceModel& model) {
  constexpr double kNoiseFactor = 2, kStepFactor = 1.3;
  const double noise = w.test.noise_variance * w.test.believed, ratio = noise / w.test.step_variance;
  const double predicted = (1 + std::sqrt(1 + 4 * ratio)) / 2, lambda = ratio / (predicted + ratio);
  const double least = kLeastVariance * w.test.step_variance;
  double doubt = 0;
  if (model.parts.noise) {
    double* const counts = model.q;
    for (std::size_t t = 0; t < w.n; ++t) counts[t] = w.available[t] * (1 - w.test.outlier[t]);
    NoiseSites sites{w.y, counts, w.mean, w.variance, w.n, least, noise, {}, w.r};
    std::copy(model.noise_weights.begin(), model.noise_weights.end(), sites.weights);
    doubt += kNoiseFactor * update_noise_sites(sites).doubt * (1 + square(lambda)) / (1 - square(lambda));
  }
  if (model.parts.steps) {
    // Half of a step's doubt goes to each side, and what is missing has no error.
    double steps = 0;
    for (std::size_t t = 0, end = 0; t < w.n; t = end + 1) {
      for (end = t; end < w.n && !std::isnan(w.x[end]);) ++end;
      if (end == t) continue;
      const bool whole = t == 0 && end == w.n;
      const double within = step_doubt(w, model, t, end);
      const double about = whole ? within : step_doubt(w, model, t - (t > 0), end + (end < w.n));
      steps += (within + about) / 2;
    }
    doubt += kStepFactor * steps / (2 - 2 * square(lambda));
  }
  return doubt;
}

// What not knowing the volatility adds. A smoother tuned to a ratio of variances off by d in its logarithm loses
// d^2 mean(f^2 (1 - f)) / mean(f) of its errors' variance, f its response at a frequency, (1 + r (2 - 2 cos w))^-1; and d has
// variance 2 / mean(f^2) over the samples that the volatility is a mean of (Whittle's information).
double volatility_doubt(const Work& w) noexcept {
  constexpr double kFactor = 0.75;  // of what the samples would tell alone: the model knows more (same document)
  const double r = w.test.noise_variance * w.test.believed / w.test.step_variance, a = 1 + 4 * r;
  const double f1 = 1 / std::sqrt(a), f2 = (1 + 2 * r) * f1 / a, f3 = (a + 6 * r * r) * f1 / (a * a);
  double left = 0;
  for (std::size_t t = 0; t < w.n; ++t)
    if (!std::isnan(w.x[t])) left += w.variance[t];
  return kFactor * left * (f2 - f3) / f1 * 2 / (f2 * kVolatilitySamples);
}

}  // namespace

double causal_gain_db(double r) noexcept { return r > 0 ? -10 * std::log10((std::sqrt(1 + 4 * r) - 1) / (2 * r)) : 0.0; }

double doubt(Work& w, const PriceModel& model) {
  return scale_doubt(w, model) + (model.parts.volatility ? volatility_doubt(w) : 0.0);
}

double predicted_gain_db(const Work& w, bool as_it_came) noexcept {
  double raw = 0, left = w.doubt;
  for (std::size_t t = 0; t < w.n; ++t) {
    if (std::isnan(w.x[t])) continue;
    const bool bad = as_it_came && w.cleaned > 0 && w.spike[t] != 0 && std::isfinite(w.x[t]);
    const double away = square((bad ? (w.x[t] - w.centre) / w.scale : w.y[t]) - w.mean[t]);
    raw += w.test.outlier[t] != 0 && w.available[t] != 0 ? away : away + w.variance[t];
    left += w.variance[t];
  }
  return 10 * std::log10(std::max(raw, 1e-300) / std::max(left, 1e-300));
}

}  // namespace rpsd
