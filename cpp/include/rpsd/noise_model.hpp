// SPDX-License-Identifier: MIT
// How much noise there is.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

// Median of |d| of a standard normal variable: the third quartile of the normal distribution.
constexpr double kNormalQuartile = 0.6744897501960817;

// Standard deviation of Gaussian noise from the detail coefficients d[0..n) of one level:
// median |d| / 0.6745 (Donoho & Johnstone 1994); 0 where n = 0. Finite input.
template <class T>
double mad_noise(const T* d, std::size_t n, Buffer<T>& scratch);

// True where a noise estimate is the rounding of the transform itself: prices that hardly move have none to remove.
// energy: the sum of squares of x.
template <class T>
bool is_rounding(double noise_sd, const T* x, std::size_t n, double energy) noexcept;

}  // namespace rpsd
