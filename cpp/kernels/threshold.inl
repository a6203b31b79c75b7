// SPDX-License-Identifier: MIT
// Shrinkage rules, branch-free; out may be x.
#pragma once

namespace {

template <class T>
inline T magnitude(T v) noexcept {
  return v < T(0) ? -v : v;
}

// Donoho & Johnstone (1994): sign(x) max(|x| - t, 0), which is x less x held within [-t, t].
template <class T>
void soft(const T* x, size_t n, T t, T* out) noexcept {
  RPSD_INDEPENDENT
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i];
    const T above = v < -t ? -t : v;
    out[i] = v - (above > t ? t : above);
  }
}

// Donoho & Johnstone (1994): x where |x| >= t, as PyWavelets counts a tie.
template <class T>
void hard(const T* x, size_t n, T t, T* out) noexcept {
  RPSD_INDEPENDENT
  for (size_t i = 0; i < n; ++i) out[i] = magnitude(x[i]) < t ? T(0) : x[i];
}

// Gao (1998): x - t^2 / x where |x| > t; t / x first, as t^2 may leave the range of numbers.
template <class T>
void garrote(const T* x, size_t n, T t, T* out) noexcept {
  RPSD_INDEPENDENT
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i];
    const bool above = magnitude(v) > t;
    const T denominator = above ? v : T(1);
    out[i] = above ? v - t * (t / denominator) : T(0);
  }
}

// Gao & Bruce (1997): 0 up to low, x from high on, a line between.
template <class T>
void firm(const T* x, size_t n, T low, T high, T* out) noexcept {
  const T slope = high > low ? high / (high - low) : T(1);
  RPSD_INDEPENDENT
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i], m = magnitude(v);
    const T line = slope * (m - low);
    const T between = v < T(0) ? -line : line;
    out[i] = m > high ? v : (m > low ? between : T(0));
  }
}

// Antoniadis & Fan (2001), with their a = 3.7: soft up to 2 t, x from a t on, a line between.
template <class T>
void scad(const T* x, size_t n, T t, T* out) noexcept {
  constexpr T a = static_cast<T>(3.7);
  RPSD_INDEPENDENT
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i], m = magnitude(v);
    const T near = m > t ? m - t : T(0);
    // m - (the part of t that is left of it), for a threshold near the largest number.
    const T far = m - (a * t - m) / (a - 2);
    const T line = m <= 2 * t ? near : far;
    const T kept = v < T(0) ? -line : line;
    out[i] = m > a * t ? v : kept;
  }
}

}  // namespace
