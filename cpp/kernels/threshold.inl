// SPDX-License-Identifier: MIT
// Shrinkage rules, branch-free.
#pragma once

namespace {

template <class T>
inline T magnitude(T v) noexcept {
  return v < T(0) ? -v : v;
}

// Donoho & Johnstone (1994): sign(x) max(|x| - t, 0).
template <class T>
void soft(T* x, size_t n, T t) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i], over = magnitude(v) - t;
    const T kept = over > T(0) ? over : T(0);
    x[i] = v < T(0) ? -kept : kept;
  }
}

// Donoho & Johnstone (1994): x where |x| >= t, as PyWavelets counts a tie.
template <class T>
void hard(T* x, size_t n, T t) noexcept {
  for (size_t i = 0; i < n; ++i) x[i] = magnitude(x[i]) < t ? T(0) : x[i];
}

// Gao (1998): x - t^2 / x where |x| > t.
template <class T>
void garrote(T* x, size_t n, T t) noexcept {
  const T t2 = t * t;
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i];
    const bool above = magnitude(v) > t;
    const T denominator = above ? v : T(1);
    x[i] = above ? v - t2 / denominator : T(0);
  }
}

// Gao & Bruce (1997): 0 up to low, x from high on, a line between.
template <class T>
void firm(T* x, size_t n, T low, T high) noexcept {
  const T slope = high > low ? high / (high - low) : T(1);
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i], m = magnitude(v);
    const T line = slope * (m - low);
    const T between = v < T(0) ? -line : line;
    x[i] = m > high ? v : (m > low ? between : T(0));
  }
}

}  // namespace
