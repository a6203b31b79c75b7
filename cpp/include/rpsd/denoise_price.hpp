// SPDX-License-Identifier: MIT
// The default denoiser: fits a price model, asks whether there is noise to remove, and smooths or leaves the series.
#pragma once

#include <cstddef>
#include <limits>

#include "rpsd/wavelet_contest.hpp"

namespace rpsd {

enum class PriceMethod {
  automatic,  // the model with the largest evidence; untouched where no noise is found
  kalman      // the Gaussian model by maximum likelihood, whatever it predicts
};

enum class PriceAction { passthrough, cleaned, denoised };

// What was found in one series; standard deviations in its own units, gains in dB. NaN where no model was fitted.
struct PriceReport {
  PriceAction action = PriceAction::passthrough;
  int level = 0;  // of wavelets, where they have most of the say
  double noise_sd = std::numeric_limits<double>::quiet_NaN();
  double step_sd = noise_sd;
  double raw_sd = noise_sd;            // root mean square error of the series as it came: noise, and bad ticks cleaned
  double gain_db = noise_sd;           // predicted, offline
  double causal_gain_db = noise_sd;    // predicted, of a filter that sees the past only
  double gain_probability = noise_sd;  // P(gain > 0)
};

struct PriceOptions {
  PriceMethod method = PriceMethod::automatic;
  double min_gain_db = 0.1;
  double precision = std::numeric_limits<double>::epsilon();  // relative, of the prices as they came
  bool clean_spikes = false;  // bad ticks are missing samples, and get a value
  const WaveletContest* contest = nullptr;  // null: wavelets have no say
};

// Series that one call takes at most.
constexpr std::size_t kPriceBundle = 8;

// x[0..n) in double, NaN where missing, -infinity where clean_spikes is on and a bad tick has no logarithm, at least one
// sample -> y, which may be x and is NaN where x
// is. count <= kPriceBundle series; each is worked on by itself, in bundles that share the latency of the recursions.
void denoise_prices(const double* const* x, std::size_t n, std::size_t count, double* const* y,
                    const PriceOptions& options, PriceReport* reports);

// What the automatic method finds in a series; scratch holds n.
PriceReport price_report(const double* x, std::size_t n, double precision, double* scratch);

}  // namespace rpsd
