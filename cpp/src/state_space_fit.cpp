// SPDX-License-Identifier: MIT
// Maximum likelihood of the local level model as the root of the exact score.
#include <cmath>
#include <vector>

#include "rpsd/state_space.hpp"

namespace rpsd {
namespace {

constexpr double kLog2Pi = 1.8378770664093453;

// The log likelihood with the common scale concentrated out, its derivative by the log ratio, and the scale.
struct Profile {
  double log_likelihood, score, scale;
};

// The filter of unit step variances together with its derivative by the log of the noise variances.
Profile profile(const LevelData& d, double log_ratio) {
  const double ratio = std::exp(log_ratio);
  const auto step = [&](std::size_t t) { return d.step_shape ? d.step_shape[t] : 1.0; };
  const auto noise = [&](std::size_t t) { return ratio * (d.noise_shape ? d.noise_shape[t] : 1.0); };
  double m = d.y[0], p = noise(0), dm = 0, dp = p, squares = 0, d_squares = 0, d_logs = 0, logs = 0, samples = 0;
  for (std::size_t t = 1; t < d.n; ++t) {
    const double q = step(t), r = noise(t), pp = p + q;
    if (!(d.seen[t] > 0)) {
      p = pp;
      continue;
    }
    const double f = pp + r, inverse = 1 / f, k = pp * inverse, c = r * inverse, e = d.y[t] - m;
    const double df = (dp + r) * inverse, dk = c * (dp * inverse - k);
    squares += e * e * inverse;
    d_squares -= e * inverse * (2 * dm + e * df);
    d_logs += df;
    logs += std::log(f);
    samples += 1;
    m += k * e;
    dm = c * dm + dk * e;
    p = c * pp;
    dp = c * c * dp + k * k * r;
  }
  if (!(squares > 0)) return {0, 0, 0};
  const double scale = squares / samples;
  return {-0.5 * (samples * (kLog2Pi + std::log(scale) + 1) + logs), -0.5 * (d_squares / scale + d_logs), scale};
}

constexpr std::size_t kGrid = 15;
constexpr double kLimit = 12, kNoNoise = -30, kTolerance = 1e-10;

double grid(std::size_t i) { return kLimit * (2.0 * static_cast<double>(i) / (kGrid - 1) - 1); }

}  // namespace

void fit_local_level(const LevelData* problems, LevelFit* fits, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const LevelData& d = problems[i];
    Profile at[kGrid];
    for (std::size_t k = 0; k < kGrid; ++k) at[k] = profile(d, grid(k));
    std::size_t best = 0;
    for (std::size_t k = 1; k < kGrid; ++k)
      if (at[k].log_likelihood > at[best].log_likelihood) best = k;
    double a = grid(best), b = a;
    Profile found = at[best];
    if (found.score > 0 && best + 1 < kGrid) b = grid(best + 1);
    if (found.score < 0 && best > 0) a = grid(best - 1);
    while (b - a > kTolerance) {
      const double middle = 0.5 * (a + b);
      found = profile(d, middle);
      (found.score > 0 ? a : b) = middle;
    }
    fits[i] = {std::exp(0.5 * (a + b)) * found.scale, found.scale, found.log_likelihood, profile(d, kNoNoise).log_likelihood};
  }
}

}  // namespace rpsd
