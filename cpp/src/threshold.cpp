// SPDX-License-Identifier: MIT
#include "rpsd/threshold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/cpu.hpp"

namespace rpsd {
namespace {

// ln n by + - x / alone, so that the universal threshold has the same bits on every system: n = m 2^k with
// m in [1/sqrt 2, sqrt 2), ln m = 2 atanh z with z = (m - 1)/(m + 1), |z| < 0.172, whose series ends by z^23.
double portable_log(std::size_t n) noexcept {
  double m = static_cast<double>(n);
  double k = 0;
  while (m >= 1.4142135623730951) {
    m /= 2;
    k += 1;
  }
  const double z = (m - 1) / (m + 1), z2 = z * z;
  double series = 0;
  for (int j = 23; j >= 1; j -= 2) series = series * z2 + 1.0 / j;
  return k * 0.6931471805599453 + 2 * z * series;
}

}  // namespace

double bayes_threshold(double sigma, double mean_square) noexcept {
  const double variance = sigma * sigma;
  const double signal = std::sqrt(std::max(mean_square - variance, 0.0));
  return signal > 0 ? variance / signal : std::numeric_limits<double>::infinity();
}

double universal_threshold(double sigma, std::size_t n) noexcept { return sigma * std::sqrt(2 * portable_log(n)); }

template <class T>
void shrink(ThresholdRule rule, const T* x, std::size_t n, double threshold, T* out) noexcept {
  const auto& kernel = active_table<T>();
  const T t = static_cast<T>(threshold);
  if (!(t <= std::numeric_limits<T>::max())) {
    std::fill(out, out + n, T(0));
    return;
  }
  switch (rule) {
    case ThresholdRule::soft: kernel.soft(x, n, t, out); break;
    case ThresholdRule::hard: kernel.hard(x, n, t, out); break;
    case ThresholdRule::garrote: kernel.garrote(x, n, t, out); break;
    case ThresholdRule::firm: kernel.firm(x, n, t, 2 * t, out); break;
  }
}

template void shrink<double>(ThresholdRule, const double*, std::size_t, double, double*) noexcept;
template void shrink<float>(ThresholdRule, const float*, std::size_t, double, float*) noexcept;

}  // namespace rpsd
