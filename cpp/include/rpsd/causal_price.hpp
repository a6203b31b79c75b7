// SPDX-License-Identifier: MIT
// The default denoiser and the local level model for series that are still coming: each estimate uses the samples so far,
// or a fixed number of later ones, and the parameters come from the past alone.
#pragma once

#include <cstddef>

#include "../../kernels/causal_state.hpp"
#include "rpsd/denoise_price.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

constexpr std::size_t kMostLookahead = 1000;

struct CausalOptions {
  PriceMethod method = PriceMethod::automatic;
  std::size_t lookahead = 0;  // samples, at most kMostLookahead
  bool clean_spikes = false;  // bad ticks are expected; else what jumps is first taken for news
  double min_gain_db = 0.1;   // where less is predicted, the series is left as it is
};

// What a state has found so far; standard deviations in the units of the series, NaN before it has moved.
struct CausalReport {
  double noise_sd;
  double step_sd;
  double gain_db;  // predicted, of a filter that sees the past only
  double gate;     // 0: the series is left alone, 1: denoised
  std::size_t resets;  // how often the noise or the steps were found to have changed
  std::size_t seen;    // samples, missing ones included
};

// All there is to know of a series lies in one block of state_size() doubles: a copy is a snapshot. A model is
// immutable; any number of threads may use it, each on states of its own.
class CausalModel {
 public:
  // Throws std::invalid_argument where lookahead or min_gain_db is out of range.
  explicit CausalModel(const CausalOptions& options);

  std::size_t lookahead() const noexcept { return lookahead_; }
  std::size_t state_size() const noexcept;

  // Makes the state of a series without samples.
  void start(double* state) const noexcept;

  // x[0..n), NaN where missing -> y[i], the estimate of the sample lookahead() before x[i], given all up to x[i]; NaN
  // before the first number. A missing sample gets an estimate too, or the number before it. y may be x. The bits do not
  // depend on how a series is cut into calls. Allocates nothing.
  void push(double* state, const double* x, std::size_t n, double* y) const;

  // The estimates of the last lookahead() samples, given all so far. scratch holds state_size().
  void flush(const double* state, double* scratch, double* y) const;

  CausalReport report(const double* state) const noexcept;

  // Whether doubles from elsewhere can be a state: no place among the lagged samples lies outside of them.
  bool is_state(const double* state) const noexcept;

 private:
  kernels::CausalLags lags(double* state) const noexcept;

  bool automatic_;
  std::size_t lookahead_;
  kernels::CausalSettings settings_;
};

// Each series from a state of its own; y[t] is the estimate of x[t], NaN at the last lookahead() samples and where x[t] is.
// y lies apart from x; reports may be null.
void causal_price(const CausalModel& model, Batch<const double> x, Batch<double> y, CausalReport* reports, int threads);

}  // namespace rpsd
