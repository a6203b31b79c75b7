// SPDX-License-Identifier: MIT
// Empirical Bayes thresholding (Johnstone & Silverman 2004, 2005) with the quasi-Cauchy prior.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

struct EbayesPrior {
  double weight;     // the share of coefficients that are signal
  double threshold;  // in units of the noise: up to there the posterior median is 0
};

// The weight of the greatest marginal likelihood of d[0..n), n >= 1, whose noise has standard deviation sigma > 0,
// among those whose threshold is no more than sqrt(2 ln n).
template <class T>
EbayesPrior fit_ebayes(const T* d, std::size_t n, double sigma, Buffer<double>& scratch);

}  // namespace rpsd
