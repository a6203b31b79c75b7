// SPDX-License-Identifier: MIT
#include "rpsd/noise_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/cpu.hpp"

namespace rpsd {

template <class T>
double mad_noise(const T* d, std::size_t n, Buffer<T>& scratch) {
  return n == 0 ? 0.0 : active_table<T>().median_abs(d, n, scratch.get(n)) / kNormalQuartile;
}

template <class T>
bool is_rounding(double noise_sd, const T* x, std::size_t n, double energy) noexcept {
  const double unit = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
  if (noise_sd > unit * std::sqrt(energy)) return false;  // the peak is no larger than that
  T peak = 0;
  for (std::size_t i = 0; i < n; ++i) peak = std::max(peak, std::abs(x[i]));
  return noise_sd <= unit * static_cast<double>(peak);
}

template double mad_noise<double>(const double*, std::size_t, Buffer<double>&);
template double mad_noise<float>(const float*, std::size_t, Buffer<float>&);
template bool is_rounding<double>(double, const double*, std::size_t, double) noexcept;
template bool is_rounding<float>(double, const float*, std::size_t, double) noexcept;

}  // namespace rpsd
