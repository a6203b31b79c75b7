// SPDX-License-Identifier: MIT
// One-step prediction errors of a local level model, and what they say against it.
#pragma once

#include <cstddef>

#include "rpsd/state_space.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

// Of the samples seen after the first, each divided by its predicted standard deviation, and all by their own.
class Innovations {
 public:
  void of(const LocalLevel& problem);

  std::size_t count() const noexcept { return count_; }
  const double* values() const noexcept { return values_; }

  // Excess kurtosis over its standard error sqrt(24 / n) where they are Gaussian; 0 where there are fewer than 8.
  double kurtosis_z() const noexcept;

  // Do large ones come together? The sum of products of their squares (held at 9, less the mean) with a Gaussian
  // moving average of the others (smooth_volatility), over its standard deviation where they are independent.
  double volatility_z();

 private:
  Buffer<double> memory_, smoothed_;
  double* values_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace rpsd
