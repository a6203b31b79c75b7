// SPDX-License-Identifier: MIT
#include "rpsd/noise_model.hpp"

#include "rpsd/cpu.hpp"

namespace rpsd {

template <class T>
double mad_noise(const T* d, std::size_t n, Buffer<T>& scratch) {
  return n == 0 ? 0.0 : active_table<T>().median_abs(d, n, scratch.get(n)) / kNormalQuartile;
}

template double mad_noise<double>(const double*, std::size_t, Buffer<double>&);
template double mad_noise<float>(const float*, std::size_t, Buffer<float>&);

}  // namespace rpsd
