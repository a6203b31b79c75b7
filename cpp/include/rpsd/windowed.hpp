// SPDX-License-Identifier: MIT
// Denoising with a fixed lag: each value by the offline denoiser on the window that ends `lookahead` samples later.
#pragma once

#include <cstddef>
#include <limits>
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

// Where a stream stands.
template <class T>
struct WindowMark {
  std::size_t end = 0;  // of what is held
  Carry<T> carry;
  double noise_sd = std::numeric_limits<double>::quiet_NaN();  // of the last window
};

// What later values of a stream depend on: the window + lookahead samples before the next at most, one more than they
// need, so that the last may be replaced.
template <class T>
struct WindowState {
  std::vector<T> values;             // carried forward
  std::vector<std::ptrdiff_t> ages;  // of Carry, negated where the sample itself is missing
  std::size_t first = 0;             // what is held lies in [first, now.end)
  WindowMark<T> now, before;         // before: to go back to, ahead of the last sample
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

  // The same for series that are still coming: x[0..n), checked before, goes on where the state stands, and y[j] belongs
  // to the sample `lookahead` before x[j]; NaN where there is none. y may be x. begins: x[0] is the first of a session.
  // Allocates while a state grows, and where windows are not whole.
  void push(WindowState<T>& state, bool begins, const T* x, std::size_t n, T* y) const;

  // The values of the last `lookahead` samples if the session ended here. Throws where such a window has too many
  // prices <= 0.
  void flush(const WindowState<T>& state, T* y) const;

  // Throws as operator() does; offset: of x[0] in its series.
  void check(const WindowState<T>& state, bool begins, const T* x, std::size_t n, std::size_t row, std::size_t rows,
             std::size_t offset) const;
  // How many samples a state holds at most, and whether one with samples from elsewhere, of a series of so many, can be.
  std::size_t held() const noexcept;
  bool is_state(const WindowState<T>& state, std::size_t samples) const noexcept;

 private:
  struct Core;
  struct Span;
  struct Work;
  struct Scratch;
  // The values at [begin, end) of a span -> y.
  void evaluate(const Span& span, std::size_t begin, std::size_t end, T* y, std::optional<SeriesReport>& report,
                Work& work) const;
  // What of a span the value at t depends on.
  struct Window {
    std::size_t begin, size;
  };
  Window window_of(const Span& span, std::size_t t) const noexcept;
  void check_window(const Span& span, const Window& window) const;
  // What is held, and n samples more, in memory of this thread.
  Span extended(const WindowState<T>& state, std::size_t more) const;
  T value(const Span& span, std::size_t t, SeriesReport& report, Work& work) const;

  std::shared_ptr<const Core> core_;  // of which the parts refer to one another
};

}  // namespace rpsd
