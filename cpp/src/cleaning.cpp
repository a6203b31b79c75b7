// SPDX-License-Identifier: MIT
#include "rpsd/cleaning.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/cpu.hpp"

namespace rpsd {

template <class T>
Gaps find_gaps(const T* x, std::size_t n) noexcept {
  Gaps gaps{0, n, n};
  if (active_table<T>().all_finite(x, n)) return gaps;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) {
      if (gaps.missing == 0) gaps.first_missing = i;
      ++gaps.missing;
    } else if (std::isinf(x[i]) && gaps.first_infinite == n) {
      gaps.first_infinite = i;
    }
  }
  return gaps;
}

template <class T>
void interpolate_missing(T* x, std::size_t n) noexcept {
  std::size_t left = n;  // the last sample seen that is not NaN; n: none yet
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isnan(x[i])) {
      left = i;
      continue;
    }
    std::size_t right = i;
    while (right < n && std::isnan(x[right])) ++right;
    if (left == n || right == n) {
      std::fill(x + i, x + right, left == n ? x[right] : x[left]);
    } else {
      const double y0 = static_cast<double>(x[left]), y1 = static_cast<double>(x[right]);
      const double span = static_cast<double>(right - left), rise = y1 - y0;
      for (std::size_t k = i; k < right; ++k) {
        const double w = static_cast<double>(k - left) / span;
        // The first form is exact between equal neighbours; the second does not overflow.
        x[k] = static_cast<T>(std::isfinite(rise) ? y0 + rise * w : y0 * (1 - w) + y1 * w);
      }
    }
    i = right - 1;
  }
}

void mark_spikes(const double* y, std::size_t n, double* spike, double* scratch, Buffer<double>& selection) {
  constexpr double kAway = 6, kMove = 4.8, kAlike = 0.5;
  constexpr double kQuartile = 1.4826;  // of a normal distribution, inverted
  const auto median_abs = [&](const double* values, std::size_t m) {
    return active_table<double>().median_abs(values, m, selection.get(m));
  };
  for (std::size_t t = 0; t + 1 < n; ++t) scratch[t] = y[t + 1] - y[t];
  const double move = kMove * kQuartile * median_abs(scratch, n - 1);
  // Reflection at the ends, the end itself not repeated.
  const auto at = [&](std::ptrdiff_t i) {
    const auto last = static_cast<std::ptrdiff_t>(n) - 1;
    if (i < 0) i = -i;
    if (i > last) i = 2 * last - i;
    return y[std::clamp<std::ptrdiff_t>(i, 0, last)];
  };
  for (std::size_t t = 0; t < n; ++t) {
    const auto i = static_cast<std::ptrdiff_t>(t);
    double a = at(i - 2), b = at(i - 1), c = at(i + 1), d = at(i + 2);
    if (a > b) std::swap(a, b);
    if (c > d) std::swap(c, d);
    // The two in the middle are the larger of the smaller ones and the smaller of the larger ones.
    scratch[t] = y[t] - (std::max(a, c) + std::min(b, d)) / 2;
  }
  const double away = kAway * kQuartile * median_abs(scratch, n);
  spike[0] = spike[n - 1] = 0;
  for (std::size_t t = 1; t + 1 < n; ++t) {
    const double there = y[t] - y[t - 1], back = y[t] - y[t + 1];
    const double smaller = std::min(std::abs(there), std::abs(back));
    const bool reverts = there * back > 0 && smaller > move && std::abs(there - back) < kAlike * smaller;
    spike[t] = reverts && std::abs(scratch[t]) > away ? 1 : 0;
  }
}

template <class T>
int unit_exponent(const T* x, std::size_t n, double energy) noexcept {
  // Squares are taken in double, but single precision must also hold the sums of a filter.
  const double most = sizeof(T) == 8 ? 1e200 : 1e60;
  if (energy > 1 / most && energy < most) return 0;
  T peak = 0;
  for (std::size_t i = 0; i < n; ++i) peak = std::max(peak, std::abs(x[i]));
  return peak > 0 ? std::ilogb(peak) : 0;
}

template Gaps find_gaps<double>(const double*, std::size_t) noexcept;
template Gaps find_gaps<float>(const float*, std::size_t) noexcept;
template void interpolate_missing<double>(double*, std::size_t) noexcept;
template void interpolate_missing<float>(float*, std::size_t) noexcept;
template int unit_exponent<double>(const double*, std::size_t, double) noexcept;
template int unit_exponent<float>(const float*, std::size_t, double) noexcept;

}  // namespace rpsd
