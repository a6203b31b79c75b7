// SPDX-License-Identifier: MIT
// What windows over whole series and over those that are still coming share.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "denoise_parts.hpp"
#include "rpsd/windowed.hpp"
#include "sliding.hpp"

namespace rpsd {

// Values that are worked on at a time: a block prepares what its first window holds once more.
constexpr std::size_t kWindowBlock = 1024;

template <class T>
constexpr T kNoValue = std::numeric_limits<T>::quiet_NaN();

// The next sample: what it counts as, and its age.
template <class T>
inline std::pair<T, std::ptrdiff_t> carry_on(Carry<T>& carry, T sample, bool begins) noexcept {
  if (begins) carry = {};
  const bool missing = std::isnan(sample);
  if (missing && carry.age == 0) return {T(0), 0};
  if (!missing) carry.last = sample;
  ++carry.age;
  return {carry.last, missing ? -carry.age : carry.age};
}

template <class T>
struct Windowed<T>::Core {
  Options options;
  WindowOptions windows;
  Denoiser<T> denoiser;
  Pyramid<T> pyramid;  // of a whole window
  SlidingShrinkage<T> sliding;

  Core(const Options& chosen, const WindowOptions& lengths)
      : options(chosen),
        windows(lengths),
        denoiser(chosen),
        pyramid(denoiser.pyramid(lengths.window + lengths.lookahead)),
        sliding(options, denoiser.transform(), pyramid, lengths.window - 1) {}
};

// Prepared samples [0, size), of which the first is `offset` in the series.
template <class T>
struct Windowed<T>::Span {
  const T* values;
  const std::ptrdiff_t* ages;
  std::size_t size;
  Place place;

  std::ptrdiff_t age(std::size_t t) const noexcept { return std::abs(ages[t]); }
  // Where the session of t ends, or else t + reach.
  std::size_t end_of_session(std::size_t t, std::size_t reach) const noexcept {
    std::size_t end = t + 1;
    while (end < t + reach && age(end) == age(t) + static_cast<std::ptrdiff_t>(end - t)) ++end;
    return end;
  }
};

// What one share of a call keeps.
template <class T>
struct Windowed<T>::Work {
  std::optional<Pyramid<T>> pyramid;  // of windows that are not whole, made anew only where their length changes
};

// Memory of one thread.
template <class T>
struct Windowed<T>::Scratch {
  Buffer<T> values, window;
  Buffer<std::ptrdiff_t> ages;
  SlidingScratch<T> sliding;
};

}  // namespace rpsd
