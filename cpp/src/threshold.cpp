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

double linear_factor(double sigma, double mean_square) noexcept {
  const double variance = sigma * sigma;
  return mean_square > variance ? 1 - variance / mean_square : 0.0;
}

template <class T>
void shrink(const LevelShrinkage& how, const T* x, std::size_t n, T* out) noexcept {
  const auto& kernel = active_table<T>();
  const T t = static_cast<T>(how.threshold);
  if (!(t <= std::numeric_limits<T>::max())) {
    std::fill(out, out + n, T(0));
    return;
  }
  const bool noisy = how.sigma > 0;  // without noise the posterior is the coefficient itself
  switch (how.rule) {
    case ThresholdRule::soft: kernel.soft(x, n, t, out); break;
    case ThresholdRule::hard: kernel.hard(x, n, t, out); break;
    case ThresholdRule::garrote: kernel.garrote(x, n, t, out); break;
    case ThresholdRule::firm: kernel.firm(x, n, t, 2 * t, out); break;
    case ThresholdRule::scad: kernel.scad(x, n, t, out); break;
    case ThresholdRule::linear: std::transform(x, x + n, out, [t](T v) { return v * t; }); break;
    case ThresholdRule::posterior_median:
      if (noisy && how.rate > 0)
        kernel.laplace_median(x, n, how.sigma, how.weight, how.rate, how.threshold / how.sigma, out);
      else if (noisy) kernel.posterior_median(x, n, how.sigma, how.weight, how.threshold / how.sigma, out);
      else kernel.soft(x, n, T(0), out);
      break;
    case ThresholdRule::posterior_mean:
      if (noisy && how.rate > 0) kernel.laplace_mean(x, n, how.sigma, how.weight, how.rate, out);
      else if (noisy) kernel.posterior_mean(x, n, how.sigma, how.weight, out, nullptr);
      else kernel.soft(x, n, T(0), out);
      break;
  }
}

template void shrink<double>(const LevelShrinkage&, const double*, std::size_t, double*) noexcept;
template void shrink<float>(const LevelShrinkage&, const float*, std::size_t, float*) noexcept;

}  // namespace rpsd
