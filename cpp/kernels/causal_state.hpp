// SPDX-License-Identifier: MIT
// What the causal denoiser knows of a series between two samples: nothing but doubles, so that a copy is a snapshot.
#pragma once

#include <stddef.h>

namespace rpsd::kernels {

// Kalman filters that differ in their ratio of step to noise variance alone.
constexpr size_t kFilters = 24;
// Models of what filters do not know: jumps, and bad samples too; both with constant and with moving volatility.
constexpr size_t kKinds = 2, kChains = 2 * kKinds;
// Rows of the chains whose volatility moves: volatilities, a jump, two kinds of bad samples.
constexpr size_t kVolatilities = 9, kRows = kVolatilities + 3;

// Values are in units of `unit` about `centre`; variances of filters are in units of the noise's.
struct CausalState {
  // The filters, and sums over all samples, over some 32 recent ones, and over those since the weights were made anew:
  // of e^2 / F and of log F, the latter as log(mantissa) + exponent ln 2.
  double mean[kFilters], variance[kFilters];
  double squares[kFilters], logs[kFilters];
  double recent_squares[kFilters], recent_logs[kFilters];
  double block_squares[kFilters], block_mantissa[kFilters], block_exponent[kFilters];
  // Posterior probabilities and noise variances, from all samples and from the recent ones.
  double weight[kFilters], scale[kFilters];
  double recent_weight[kFilters], recent_scale[kFilters];

  double level[kChains], level_variance[kChains], evidence[kChains], chain_weight[kChains];
  double mean_volatility[kChains], volatility[kRows * kKinds];  // probabilities, rows beyond them zero

  double counted, recent_counted, block_counted, block_decay;  // samples in the sums
  double noise_variance, step_variance;
  double feedback;       // the chains' volatility, for the filters
  double total_evidence;  // of the chains, of which the most likely one counts as 1
  double gain_db;        // predicted
  double gate;           // 0: the series is left alone, 1: denoised
  double still;          // share of recent samples that did not move
  double products, product_squares, moves, move_sum, last_move, last_value;  // of the test for noise
  double jumps, recent_jumps, alarm, resets;
  double quiet_level, quiet_variance, quiet_alarm;  // of a filter that expects a sixteenth of the noise
  double time;        // samples since the first move
  double reset_time;
  double running;     // 1 once the chains run
  double level_mean;  // of the filters together, where they are the whole method

  double centre, unit, inverse_unit;
  double last_price;  // NaN before the first number
  double slot;        // where the sample that leaves the lag lies
  double seen;        // samples, missing ones included
};

// lookahead samples, oldest at `slot`: prices, and each one's estimates and covariances with the level now, `values` of
// each a sample and filled up with zeros to multiples of eight.
struct CausalLags {
  size_t lookahead;
  double *prices, *means, *covariances;
};

struct CausalSettings {
  double bad_sample_evidence;    // prior log odds of chains with bad samples
  double least_gain, gain_slope;  // dB from which the gate opens, and how fast
};

struct CausalTable {
  // y[i] is the estimate of the sample lookahead before x[i], given all up to x[i]; y may be x.
  void (*automatic)(const CausalSettings& settings, CausalState& state, const CausalLags& lags, const double* x, size_t n,
                    double* y) noexcept;
  void (*kalman)(const CausalSettings& settings, CausalState& state, const CausalLags& lags, const double* x, size_t n,
                 double* y) noexcept;
};

}  // namespace rpsd::kernels
