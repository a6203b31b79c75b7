// SPDX-License-Identifier: MIT
// How the details of each level shrink, found from the details.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/threshold.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

// One level as a selector sees it: its n details, which may be null where needs_details says so, the mean of their
// squares, and the standard deviation of the noise in them.
template <class T>
struct LevelDetails {
  const T* d;
  std::size_t n;
  double mean_square, sigma;
};

// What the thresholds of a mode depend on besides the noise level.
bool needs_details(ThresholdMode mode) noexcept;
bool needs_mean_squares(ThresholdMode mode) noexcept;

// found[k] for levels[k], k < count, of a series of n samples; for block modes only sigma is set. The levels are
// shared out among the threads. threshold_scale multiplies thresholds, and the noise level of rules without one.
template <class T>
void select_shrinkages(const Options& options, const LevelDetails<T>* levels, std::size_t count, std::size_t n,
                       int threads, LevelShrinkage* found);

// In units of the noise. SureShrink and its hybrid (Donoho & Johnstone 1995) for one level; z: scratch of n.
template <class T>
double sure_threshold(const LevelDetails<T>& level, double* z);
template <class T>
double hybrid_threshold(const LevelDetails<T>& level, double* z);

// The soft threshold with the least bound on its risk beside that of an oracle (Donoho & Johnstone 1994).
double minimax_threshold(std::size_t n) noexcept;

// False discovery rate 0.05 (Abramovich & Benjamini 1996) over all levels together; infinite where nothing is found.
template <class T>
double fdr_threshold(const LevelDetails<T>* levels, std::size_t count, std::vector<double>& scratch);

}  // namespace rpsd
