// SPDX-License-Identifier: MIT
// Denoising with a fixed lag: each value by the offline denoiser on the window that ends `lookahead` samples later.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "rpsd/denoise.hpp"

namespace rpsd {

// In samples; min_periods of them, t itself included, must have been seen in a session before a value is given.
struct WindowOptions {
  std::size_t window = 256, lookahead = 0, min_periods = 256;
};

// Where a series stands after some sample: the last value seen in its session, and how many samples there have been
// since the first one seen; 0: none has.
template <class T>
struct Carry {
  T last = 0;
  std::ptrdiff_t age = 0;
};

// What later values of a stream depend on: the window + lookahead - 1 samples before the next at most.
template <class T>
struct WindowState {
  std::vector<T> values;            // carried forward
  std::vector<std::ptrdiff_t> ages;  // of Carry, negated where the sample itself is missing
  std::size_t first = 0, end = 0;   // what is held lies in [first, end)
  std::size_t count = 0;            // samples pushed
  Carry<T> carry;
  bool begins = false;              // the next sample is the first of a session
};

struct WindowedReport {
  SeriesReport series;      // noise and level of the last window, and whether any was changed
  std::size_t warmup = 0;   // samples that are there and have no value: too few before them, or the last `lookahead`
};

// y[t] is the value at position t of what the denoiser makes of x[t - window + 1 .. t + lookahead], of its session alone,
// where missing samples have the value of the last one before them. NaN where x is missing, before min_periods, and at
// the last `lookahead` samples. Immutable; runs from any number of threads at once.
template <class T>
class Windowed {
 public:
  Windowed(const Options& options, const WindowOptions& windows);

  // x -> y, which lies apart from it. As Denoiser::operator().
  void operator()(Batch<const T> x, Batch<T> y, WindowedReport* reports, int threads,
                  const std::vector<std::size_t>& starts = {}) const;

  // The same in pieces of any size: x[0..n) goes on where the state stands, and y[j], j < n, belongs to the sample
  // `lookahead` before x[j]; NaN where there is none. y may be x. Throws as operator() does, with the positions of
  // the stream, and nothing has changed then; but where a window has too many prices <= 0 the stream has ended.
  WindowState<T> begin() const;
  void push(WindowState<T>& state, const T* x, std::size_t n, T* y) const;

 private:
  struct Core;
  struct Span;
  struct Work;
  struct Scratch;
  // The values at [begin, end) of a span -> y.
  void evaluate(const Span& span, std::size_t begin, std::size_t end, T* y, std::optional<SeriesReport>& report,
                Work& work) const;
  T value(const Span& span, std::size_t t, SeriesReport& report, Work& work) const;

  std::shared_ptr<const Core> core_;  // of which the parts refer to one another
};

}  // namespace rpsd
