// SPDX-License-Identifier: MIT
// What smoothing a series is expected to gain, and what is not known of its scales (denoise_price.cpp).
#pragma once

#include "price_work.hpp"
#include "rpsd/price_model.hpp"

namespace rpsd {

// Optimal gain of a filter that sees the past only, for noise to step variance r: the steady-state Kalman gain.
double causal_gain_db(double r) noexcept;

// What the model's own uncertainty of its scales and its volatility adds to the sum of the errors' variances. Works on w.r
// and the model's q, which are of no use afterwards.
double doubt(Work& w, const PriceModel& model);

// What is expected to be gained: error of the raw series over error of the smoothed one. The raw series is the one that
// was smoothed, or the one that came, with its bad ticks. Of what is missing there is no raw series.
double predicted_gain_db(const Work& w, bool as_it_came) noexcept;

}  // namespace rpsd
