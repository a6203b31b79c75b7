// SPDX-License-Identifier: MIT
// One turn of the collapsed expectation maximisation of local level models whose steps or noise are scale mixtures:
// each site's scales are weighed by what the other samples say of it, and the Gaussian that stands for it is matched
// to the result (Minka 2001, expectation propagation).
#pragma once

#include <cstddef>

#include "rpsd/state_space.hpp"

namespace rpsd {

// Of one smoothed problem: var e[t] = noise_variance 4^l with probability weights[l]; a weight below 1e-250
// counts as that.
struct NoiseSites {
  const double* y;
  const double* seen;
  const double* mean;
  const double* variance;
  std::size_t n;
  double least_variance;  // variances below count as this, which is positive
  double noise_variance;
  double weights[kNoiseScales];
  double* r;  // in: the noise variances of the smoother; out: the matched ones, within [.05, 1e9] noise_variance
};

struct NoiseUpdate {
  double noise_variance;              // mean of E[e^2 / 4^l] over the samples seen
  double responsibilities[kNoiseScales];  // sums over the samples seen
  // The sum over the samples seen of what not knowing its scale adds to the variance of a sample's level.
  double doubt;
};

NoiseUpdate update_noise_sites(const NoiseSites& sites);

// Likewise of the steps: var w[t] = step_variance shape[t] 4^k with probability weights[k]. n >= 2; as there is no step
// to the first sample, scaled_square[0] is scaled_square[1] and ratio[0] is one.
struct StepSites {
  const double* mean;
  const double* step_square;
  const double* shape;
  const double* q;  // the step variances of the smoother
  std::size_t n;
  double least_variance;
  double step_variance;
  double weights[kStepScales];
  double* scaled_square;  // out: u[t] = E[w^2 / 4^k]; may be step_square
  double* ratio;          // out: the matched variances in units of step_variance shape[t], within [.2, 1e6]; may be q
};

struct StepUpdate {
  double step_variance;                  // mean of u[t] / shape[t] over t >= 1
  double responsibilities[kStepScales];  // sums over t >= 1
  double doubt;                          // likewise added to the variances of the steps
};

StepUpdate update_step_sites(const StepSites& sites);

constexpr double kVolatilityBandwidth = 20;

// Moving average of u[0..n) under a Gaussian of standard deviation kVolatilityBandwidth with the samples reflected about
// both ends: of means of four samples, and on lines between them. out lies apart from u.
void smooth_volatility(const double* u, std::size_t n, double* out);

// The shape of the steps' variance from u[t] = E[w^2] in its scale's units: the moving average of u / step_variance,
// the first taken for the second, at least .02, divided by the mean over t >= 1. n >= 2.
void volatility_shape(const double* u, std::size_t n, double step_variance, double* shape);

}  // namespace rpsd
