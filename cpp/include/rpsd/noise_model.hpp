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

}  // namespace rpsd
