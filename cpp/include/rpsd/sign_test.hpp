// SPDX-License-Identifier: MIT
// Do the moves of a price series take each other back? A test that holds its size whatever the law of their sizes is.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

struct SignTestScratch {
  Buffer<double> arrays, selection;
};

// Of the moves d between consecutive samples that count (counts[t] != 0), each scaled by the volatility around it, the
// products of each with an exponential average of those before it: minus their sum over the root of the sum of their
// squares. Without noise the signs of d are fair coins given |d| wherever the law of a step is symmetric; all weights
// depend on |d| alone, so this z has mean 0 and variance 1 whatever volatility and tails are. Noise makes it large.
double sign_test(const double* y, const double* counts, std::size_t n, SignTestScratch& scratch);

}  // namespace rpsd
