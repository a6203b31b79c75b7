// SPDX-License-Identifier: MIT
// Whole-array reductions with sixteen fixed lanes, so that every ISA adds in the same order: four chains of additions
// in AVX registers, as many as hide their latency.
#pragma once

namespace {

constexpr size_t kSumLanes = 16;

template <size_t N>
inline double fold(double (&s)[N]) noexcept {
  for (size_t half = N / 2; half > 0; half /= 2)
    for (size_t k = 0; k < half; ++k) s[k] += s[k + half];
  return s[0];
}

template <class T>
double sum(const T* x, size_t n) noexcept {
  double s[kSumLanes] = {};
  size_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (size_t k = 0; k < kSumLanes; ++k) s[k] += static_cast<double>(x[i + k]);
  for (size_t k = 0; i + k < n; ++k) s[k] += static_cast<double>(x[i + k]);
  return fold(s);
}

template <class T>
double sum_squares(const T* x, size_t n) noexcept {
  double s[kSumLanes] = {};
  size_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (size_t k = 0; k < kSumLanes; ++k) {
      const double v = static_cast<double>(x[i + k]);
      s[k] += v * v;
    }
  for (size_t k = 0; i + k < n; ++k) {
    const double v = static_cast<double>(x[i + k]);
    s[k] += v * v;
  }
  return fold(s);
}

// Integer arithmetic on the exponent bits: a sum of x * 0 would depend on the FTZ and DAZ modes of the caller.
template <class T>
bool all_finite(const T* x, size_t n) noexcept {
  using U = typename UintOf<T>::type;
  constexpr U kExponent = sizeof(T) == 8 ? static_cast<U>(0x7FF0000000000000ull) : static_cast<U>(0x7F800000u);
  constexpr size_t kBlock = 1024;
  for (size_t start = 0; start < n; start += kBlock) {
    const size_t m = n - start < kBlock ? n - start : kBlock;
    U bad = 0;
    for (size_t i = 0; i < m; ++i) {
      U bits;
      memcpy(&bits, x + start + i, sizeof bits);
      bad |= static_cast<U>((bits & kExponent) == kExponent);
    }
    if (bad != 0) return false;
  }
  return true;
}

}  // namespace
