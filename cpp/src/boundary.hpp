// SPDX-License-Identifier: MIT
// Signals beyond their ends.
#pragma once

#include <algorithm>
#include <cstddef>

#include "rpsd/wavelet.hpp"

namespace rpsd {

// Non-negative remainder, and the quotient that goes with it.
struct Division {
  std::ptrdiff_t quotient, remainder;
};
inline Division floor_divide(std::ptrdiff_t i, std::ptrdiff_t period) {
  std::ptrdiff_t q = i / period, r = i % period;
  if (r < 0) {
    r += period;
    --q;
  }
  return {q, r};
}

// The remainder without a division where i lies within one period of [0, period).
inline std::ptrdiff_t turned(std::ptrdiff_t i, std::ptrdiff_t period) {
  if (i < 0 && i >= -period) return i + period;
  if (i >= 0 && i < period) return i;
  return floor_divide(i, period).remainder;
}

// Sample i of the signal x(0) .. x(n - 1), as it goes on to all integers. Samples farther from the near end than i are
// read only where n is less than that, and by the periodic modes.
template <class T, class Signal>
T extend(const Signal& x, std::ptrdiff_t n, std::ptrdiff_t i, Boundary boundary) {
  if (i >= 0 && i < n) return x(i);
  switch (boundary) {
    case Boundary::zero: return T(0);
    case Boundary::constant: return i < 0 ? x(0) : x(n - 1);
    case Boundary::periodic: return x(floor_divide(i, n).remainder);
    case Boundary::periodization: {  // an odd signal repeats its last sample first
      const std::ptrdiff_t r = floor_divide(i, n + n % 2).remainder;
      return x(std::min(r, n - 1));
    }
    case Boundary::symmetric: {
      const std::ptrdiff_t r = turned(i, 2 * n);
      return r < n ? x(r) : x(2 * n - 1 - r);
    }
    case Boundary::antisymmetric: {
      const std::ptrdiff_t r = turned(i, 2 * n);
      if (r < n) return x(r);
      // A NaN keeps its sign: of two that meet in a sum, it is the compiler's choice whose bits are left.
      const T mirrored = x(2 * n - 1 - r);
      return mirrored != mirrored ? mirrored : -mirrored;
    }
    case Boundary::reflect: {
      if (n == 1) return x(0);
      const std::ptrdiff_t r = turned(i, 2 * (n - 1));
      return r < n ? x(r) : x(2 * (n - 1) - r);
    }
    case Boundary::antireflect: {  // each turn about an end goes on along the chord from end to end
      if (n == 1) return x(0);
      // An end comes in only where a turn has been made about it, so that a NaN there stays on its side.
      if (i < 0) return 2 * x(0) - extend<T>(x, n, -i, boundary);
      const Division d = floor_divide(i, 2 * (n - 1));
      const T inside = d.remainder < n ? x(d.remainder) : 2 * x(n - 1) - x(2 * (n - 1) - d.remainder);
      return d.quotient == 0 ? inside : inside + static_cast<T>(d.quotient) * (2 * (x(n - 1) - x(0)));
    }
    case Boundary::smooth: {
      if (n == 1) return x(0);
      return i < 0 ? x(0) + static_cast<T>(i) * (x(1) - x(0))
                   : x(n - 1) + static_cast<T>(i - (n - 1)) * (x(n - 1) - x(n - 2));
    }
  }
  return T(0);
}

}  // namespace rpsd
