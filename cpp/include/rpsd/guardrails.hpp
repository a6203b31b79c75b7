// SPDX-License-Identifier: MIT
// The honest guardrails: an output held against the best estimate of the fitted model, docs/guardrails.md.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

// What was fitted to a series x, and with it the best estimate: NaN where it is not known.
struct GuardModel {
  double noise_sd, step_sd;
  double gain_db;  // predicted, of the best estimate
  double late;     // samples by which the best estimate of y's lookahead comes late
  bool walk;       // a random walk under noise; else wavelets made the estimate, and what follows from a walk is not asked
};

// NaN where a metric cannot be computed, or the model has nothing to say on it.
struct GuardMetrics {
  double gain_db;    // predicted, of y
  double edge_db;    // the lower one of the first and of the last samples
  double bias;       // mean difference of x and y beyond that of the best estimate, in root mean squared errors of x
  double variance;   // from absolute moves, of y to that of the best estimate
  double roughness;  // absolute moves of y to those of x, or to twice those of a blend that takes as much away
  double lag;        // samples by which y comes later, or earlier, than the best estimate of its lookahead
  double scale;      // by what share the moves of y are too large or too small, beyond what those of x are
  double overshoot;  // by how many usual moves y leaves the range of x nearby
  double stuck;      // share of the moves of x at which y repeats a value
  double jumps;      // share of the jumps of x that is in y
  double whiteness;  // root mean square autocorrelation of the signs of innovations, beyond what chance makes of it; on a
                     // coarse lattice, where more than a tenth of the prices repeat the one before, it cannot be computed
};

constexpr std::size_t kWhitenessLags = 20;

// Of x and y; best: the estimate of the whole series; like: the best one of the same lookahead as y's. n samples each, NaN is
// filled by interpolation. O(n).
void judge(Batch<const double> x, Batch<const double> y, Batch<const double> best, Batch<const double> like,
           const GuardModel* models, GuardMetrics* metrics, int threads);

}  // namespace rpsd
