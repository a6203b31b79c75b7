// SPDX-License-Identifier: MIT
// The four guardrails and their score: what was done to a series, seen from the series itself.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

struct Metrics {
  double correlation;  // Pearson's, of x and y
  double rmse;         // root mean square of x - y over the standard deviation of x
  double trend;        // share of 30-sample least-squares slopes with the same sign; NaN under 30 samples
  double power;        // 1 - |P(y) - P(x)| / P(x), P the periodogram power at 0 < f <= 0.1 Nyquist
  double score;        // 0 to 100
};

constexpr std::size_t kTrendWindow = 30;

// Of x[0..n) and y[0..n). NaN is filled by interpolation, each series for itself; all NaN where one has no value.
// Equal series score 100 whatever they are; against a constant x, any other y has correlation 0 and rmse inf.
Metrics measure(const double* x, const double* y, std::size_t n);

void measure(Batch<const double> x, Batch<const double> y, Metrics* metrics, int threads);

// r[k - 1] = sum_t u[t] u[t + k] / sum_t u[t]^2 at k = 1 .. lags, u = x about its mean: lags values a series, NaN
// where x is not finite or constant. lags from 1 to length - 1, else std::invalid_argument.
void autocorrelation(Batch<const double> x, std::size_t lags, double* r, int threads);

}  // namespace rpsd
