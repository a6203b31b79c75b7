// SPDX-License-Identifier: MIT
// Prices on ticks: what the tick is, and the efficient price behind rounded, bouncing prices.
#pragma once

#include <cstddef>

namespace rpsd {

// The tick: the largest number of which every difference of two prices is a whole multiple, within 1e-4 of it and the
// prices' own rounding; 0 where there is none, where fewer than 20 moves show it, or where it is below 1/64 of the median
// move and so means nothing. Samples with seen[t] = 0 are not read. precision: the rounding error of one price in the
// units of y, such as epsilon of the caller's type times the largest price. O(n).
double tick_size(const double* y, const double* seen, std::size_t n, double precision);

struct LatticeFit {
  double noise_variance;       // of y less the efficient price, rounding included, bad ticks not
  double step_variance;        // of a step at step_scale 1, jumps not included
  double bad_tick_share;       // of the samples
  double jump_share;           // of the steps
  double log_likelihood_gain;  // over the Gaussian local level model of the variances given, of the same prices
  int iterations;
  bool converged;  // the last iteration gained less than one unit of log-likelihood
};

// Smooths prices on multiples of tick: x is a random walk with Gaussian steps and jumps, y = x + noise rounded to ticks,
// the noise of any symmetric distribution, with bad ticks among it (docs/decisions/0009-lattice.md). Mean and variance of
// x[t] given all of y, n each, in the units of y.
//
// y is finite and not read where seen[t] = 0; at least one sample is seen. noise_variance and step_variance are
// the Gaussian fit's, each under (8 tick)^2; the model is meant for standard deviations under about two ticks.
// step_scale: factors of the variance of the step into each sample (volatility, 1 on average), or null for all 1.
//
// Memory: 4,096 or n rows, whichever is fewer, of the 32 to 400 states that 6 standard deviations of a move take,
// one row more every 4,096 samples, and at most 80 bytes a sample. Parameters are fitted to 16,384 samples at most.
LatticeFit smooth_lattice(const double* y, const double* seen, std::size_t n, double tick, double noise_variance,
                          double step_variance, double* mean, double* variance, const double* step_scale = nullptr);

}  // namespace rpsd
