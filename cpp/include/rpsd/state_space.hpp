// SPDX-License-Identifier: MIT
// The local level model: filter and smoother, likelihoods, maximum likelihood, scale mixtures. Eight problems at a time
// share the latency of their divisions; the bits of one do not depend on which others it runs with.
#pragma once

#include <cstddef>

namespace rpsd {

// y[t] = x[t] + e[t], x[t] = x[t-1] + w[t], var e[t] = r[t], var w[t] = q[t], n >= 1 samples. y is finite everywhere;
// seen[t] is 1 where there is a sample and 0 where it is missing (y[t] is then not used); seen[0] = 1.
// q[t] >= 0 (q[0] is not used), r[t] > 0; products of two variances lie within the range of numbers.
// The level of the first sample is N(y[0], r[0]).
struct LocalLevel {
  const double* y;
  const double* seen;
  const double* q;
  const double* r;
  std::size_t n;
};

// Given all samples: mean and variance of x[t], and step_square[t] = E[(x[t] - x[t-1])^2], step_square[0] = 0.
struct Smoothed {
  double* mean;
  double* variance;
  double* step_square;
};

// Kalman (1960) filter and Rauch, Tung & Striebel (1965) smoother of `count` problems of one length.
// log_likelihoods, which may be null: of each problem's samples given its first.
void smooth(const LocalLevel* problems, const Smoothed* out, std::size_t count, double* log_likelihoods);

// The log likelihoods alone.
void log_likelihood(const LocalLevel* problems, std::size_t count, double* out);

constexpr std::size_t kStepScales = 6, kNoiseScales = 8;

// var w[t] = q[t] 4^k with probability step_weights[k], var e[t] = r[t] 4^l with probability noise_weights[l];
// scales whose weight is below 1e-12 do not count.
struct ScaleMixture {
  LocalLevel base;
  const double* step_weights;
  const double* noise_weights;
};

// Predictive log likelihood of all samples with one Gaussian kept a step (GPB1, Ackerson & Fu 1970); the level before
// the first sample is N(median of the first five samples seen, 100).
void mixture_log_likelihood(const ScaleMixture* problems, std::size_t count, double* out);

// r[t] = noise_variance noise_shape[t], q[t] = step_variance step_shape[t]; a null shape is all ones.
struct LevelData {
  const double* y;
  const double* seen;
  const double* step_shape;
  const double* noise_shape;
  std::size_t n;
};

struct LevelFit {
  double noise_variance;
  double step_variance;
  double log_likelihood;
  double log_likelihood_no_noise;  // at noise_variance / step_variance = e^-30
};

// The log likelihood at each of `count` values of log(noise_variance / step_variance), the common scale concentrated out.
void level_log_likelihoods(const LevelData& problem, const double* log_ratios, std::size_t count, double* out);

// Maximum likelihood, log(noise_variance / step_variance) within [-12, 12]. Samples that are all equal, and a single
// one, give zeros.
void fit_local_level(const LevelData* problems, LevelFit* fits, std::size_t count);

}  // namespace rpsd
