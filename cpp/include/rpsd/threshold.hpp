// SPDX-License-Identifier: MIT
// Thresholds from the noise level, and the rules that apply them.
#pragma once

#include <cstddef>

#include "rpsd/options.hpp"

namespace rpsd {

// BayesShrink (Chang, Yu & Vetterli 2000): sigma^2 / s with s^2 = max(mean square - sigma^2, 0).
// Infinite where s = 0: the whole level is noise.
double bayes_threshold(double sigma, double mean_square) noexcept;

// VisuShrink (Donoho & Johnstone 1994): sigma sqrt(2 ln n) for a series of n samples.
double universal_threshold(double sigma, std::size_t n) noexcept;

// The best linear estimate of a signal in noise: 1 - sigma^2 / mean square, no less than 0 (Wiener 1949).
double linear_factor(double sigma, double mean_square) noexcept;

// How the details of one level shrink. threshold: of the linear rule its factor; of the posterior rules, which read
// sigma, weight and rate too, up to where the median is 0. rate: of the Laplace prior in units of 1 / sigma, 0 for the
// quasi-Cauchy prior.
struct LevelShrinkage {
  ThresholdRule rule;
  double threshold, sigma, weight, rate;
};

// Shrinks x[0..n) to out, which may be x. An infinite threshold zeroes it. Firm shrinks between threshold and twice that.
template <class T>
void shrink(const LevelShrinkage& how, const T* x, std::size_t n, T* out) noexcept;

}  // namespace rpsd
