// SPDX-License-Identifier: MIT
// Empirical Bayes thresholding (Johnstone & Silverman 2004, 2005) with the quasi-Cauchy prior or Laplace's.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

struct EbayesPrior {
  double weight;     // the share of coefficients that are signal
  double threshold;  // in units of the noise: up to there the posterior median is 0
  double rate;       // a of the Laplace density a/2 exp(-a |m|), in units of 1 / sigma; 0 for the quasi-Cauchy prior
};

// The weight of the greatest marginal likelihood of d[0..n), n >= 1, whose noise has standard deviation sigma > 0,
// among those whose threshold is no more than sqrt(2 ln n).
template <class T>
EbayesPrior fit_ebayes(const T* d, std::size_t n, double sigma, Buffer<double>& scratch);

// The same with the Laplace prior, whose rate is of the greatest marginal likelihood too, from 0.04 to 3.
template <class T>
EbayesPrior fit_laplace(const T* d, std::size_t n, double sigma, Buffer<double>& scratch);

}  // namespace rpsd
