// SPDX-License-Identifier: MIT
// What the causal denoiser knows of a series between two samples: nothing but numbers, so that a copy is a snapshot.
#pragma once

#include <stddef.h>

namespace rpsd::kernels {

// Kalman filters that differ in their ratio of step to noise variance alone.
constexpr size_t kFilters = 24;
// Models of what filters do not know: jumps, and bad samples too; both with constant and with moving volatility.
constexpr size_t kKinds = 2, kChains = 2 * kKinds;
// Rows of the chains whose volatility moves: volatilities, a jump, two kinds of bad samples.
constexpr size_t kVolatilities = 5, kRows = kVolatilities + 3;

// The weights of the filters are made anew with every early sample, then with every eighth; the recent ones with every
// second of these.
constexpr size_t kDue = 8, kPhases = 2 * kDue;
constexpr double kEarly = 64;

// V is double, or a vector of as many series. Values are in units of `unit` about `centre`; variances of filters are in units of the noise's.
template <class V>
struct CausalStateOf {
  // The filters, and sums over all samples, over some 32 recent ones, and over those since the weights were made anew:
  // of e^2 / F and of log2 F, the last of these as a product: of at most kDue factors, which stays within the range.
  V mean[kFilters], variance[kFilters];
  V squares[kFilters], logs[kFilters];
  V recent_squares[kFilters], recent_logs[kFilters];
  V block_squares[kFilters], block_product[kFilters];
  // Posterior probabilities and noise variances; from the recent samples probabilities, and their products with variances.
  V weight[kFilters], scale[kFilters];
  V recent_weight[kFilters], recent_scale[kFilters];
  V recent_variance;  // of an innovation, without what the level's adds

  V level[kChains], level_variance[kChains], odds[kChains], chain_weight[kChains];  // odds: the most likely one's are 1
  V mean_volatility[kChains], volatility[kRows * kKinds];  // probabilities, rows beyond them zero

  V counted, recent_counted, block_counted, block_decay;  // samples in the sums
  V noise_variance, step_variance;
  V feedback;       // the chains' volatility, for the filters
  V total_odds;
  V gain_db;        // predicted
  V gate;           // 0: the series is left alone, 1: denoised
  V still;          // share of recent samples that did not move
  V products, product_squares, moves, move_sum, last_move, last_value;  // of the test for noise
  V jumps, recent_jumps, alarm, resets;
  V quiet_level, quiet_variance, quiet_alarm;  // of a filter that expects a sixteenth of the noise
  V time;        // samples since the first move
  V reset_time;
  V running;     // 1 once the chains run

  V centre, unit, inverse_unit;
  V last_price;  // NaN before the first number
  V slot;        // where the sample that leaves the lag lies
  V seen;        // samples, missing ones included
};

using CausalState = CausalStateOf<double>;

// lookahead samples, oldest at `slot`: prices, and each one's estimates and covariances with the level now, `values` of
// each a sample and filled up with zeros to multiples of eight.
template <class V>
struct CausalLagsOf {
  size_t lookahead;
  V *prices, *means, *covariances;
};

using CausalLags = CausalLagsOf<double>;

struct CausalSettings {
  double bad_sample_odds;        // prior odds of chains with bad samples
  double least_gain, gain_slope;  // dB from which the gate opens, and how fast
};

struct CausalTable {
  // y[i] is the estimate of the sample lookahead before x[i], given all up to x[i]; y may be x.
  void (*automatic)(const CausalSettings& settings, CausalState& state, const CausalLags& lags, const double* x, size_t n,
                    double* y) noexcept;
  void (*kalman)(const CausalSettings& settings, CausalState& state, const CausalLags& lags, const double* x, size_t n,
                 double* y) noexcept;
  // Series that fit a tile: their chains run, the early samples are over, no sample is missing, and all stand at the same
  // sample of kPhases and the same slot of the lag. states[l] holds `size` numbers: a state and its lags. Goes on by n samples,
  // or up to one at which a series began again, and returns how many. scratch holds size + 1 times tile_rows.
  size_t (*automatic_tile)(const CausalSettings& settings, double* const* states, size_t size, size_t lookahead,
                           const double* const* x, size_t n, double* const* y, double* scratch) noexcept;
  size_t tile_rows;
};

}  // namespace rpsd::kernels
