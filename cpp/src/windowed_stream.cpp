// SPDX-License-Identifier: MIT
// Windows over series that are still coming.
#include <algorithm>
#include <tuple>

#include "rpsd/cpu.hpp"
#include "thread_memory.hpp"
#include "windowed_parts.hpp"

namespace rpsd {

template <class T>
std::size_t Windowed<T>::held() const noexcept {
  return core_->windows.window + core_->windows.lookahead;
}

template <class T>
typename Windowed<T>::Span Windowed<T>::extended(const WindowState<T>& state, std::size_t more) const {
  auto& scratch = of_this_thread<Scratch>();
  const std::size_t size = state.now.end - state.first;
  T* const values = scratch.values.get(size + more);
  std::ptrdiff_t* const ages = scratch.ages.get(size + more);
  std::copy_n(state.values.data() + state.first, size, values);
  std::copy_n(state.ages.data() + state.first, size, ages);
  return {values, ages, size, {0, 1, 0}};
}

template <class T>
void Windowed<T>::check(const WindowState<T>& state, bool begins, const T* x, std::size_t n, std::size_t row,
                        std::size_t rows, std::size_t offset) const {
  const Options& options = core_->options;
  check_samples(options, x, n, {row, rows, offset});
  if (options.space != Space::log) return;
  if (options.outliers == Outliers::none) return check_logarithms(options, x, n, {row, rows, offset});
  // Too many prices <= 0 in a window: all that are to come are looked at.
  Span span = extended(state, n);
  const std::size_t lookahead = core_->windows.lookahead, size = span.size;
  auto& scratch = of_this_thread<Scratch>();
  T* const values = scratch.values.get(size + n);
  std::ptrdiff_t* const ages = scratch.ages.get(size + n);
  Carry<T> carry = state.now.carry;
  for (std::size_t i = 0; i < n; ++i) std::tie(values[size + i], ages[size + i]) = carry_on(carry, x[i], begins && i == 0);
  span.size += n;
  span.place = {row, rows, offset - size};
  for (std::size_t t = size - std::min(size, lookahead); t + lookahead < span.size; ++t)
    if (ages[t] >= static_cast<std::ptrdiff_t>(core_->windows.min_periods)) check_window(span, window_of(span, t));
}

template <class T>
void Windowed<T>::push(WindowState<T>& state, bool begins, const T* x, std::size_t n, T* y) const {
  active_kernels();
  const std::size_t lookahead = core_->windows.lookahead;
  Work work;
  for (std::size_t done = 0; done < n;) {
    const std::size_t m = std::min(kWindowBlock, n - done);
    WindowMark<T>& now = state.now;
    state.first = std::max(state.first, now.end - std::min(now.end, held()));
    if (now.end + m > state.values.size()) {
      std::copy(state.values.begin() + state.first, state.values.begin() + now.end, state.values.begin());
      std::copy(state.ages.begin() + state.first, state.ages.begin() + now.end, state.ages.begin());
      now.end -= state.first;
      state.before.end -= std::min(state.before.end, state.first);
      state.first = 0;
      const std::size_t least = std::max(2 * held(), now.end + m);
      if (least > state.values.size()) {
        state.values.resize(least);
        state.ages.resize(least);
      }
    }
    for (std::size_t i = 0; i < m; ++i, ++now.end)
      std::tie(state.values[now.end], state.ages[now.end]) = carry_on(now.carry, x[done + i], begins && done + i == 0);
    // Of samples before the first there is no value.
    const std::size_t size = now.end - state.first, late = std::min(m, m + lookahead - std::min(size, m + lookahead));
    std::fill(y + done, y + done + late, kNoValue<T>);
    const std::size_t end = size - std::min(size, lookahead);
    std::optional<SeriesReport> report;
    evaluate({state.values.data() + state.first, state.ages.data() + state.first, size, {0, 1, 0}}, end - (m - late), end,
             y + done + late, report, work);
    if (report) now.noise_sd = report->noise_sd;
    done += m;
  }
}

template <class T>
void Windowed<T>::flush(const WindowState<T>& state, T* y) const {
  active_kernels();
  // As where a session begins.
  const std::size_t lookahead = core_->windows.lookahead;
  Span span = extended(state, lookahead);
  const std::size_t size = span.size, late = lookahead - std::min(size, lookahead);
  auto& scratch = of_this_thread<Scratch>();
  std::fill_n(scratch.values.get(size + lookahead) + size, lookahead, T(0));
  std::fill_n(scratch.ages.get(size + lookahead) + size, lookahead, std::ptrdiff_t{0});
  span.size += lookahead;
  std::fill(y, y + late, kNoValue<T>);
  std::optional<SeriesReport> report;
  Work work;
  evaluate(span, size - (lookahead - late), size, y + late, report, work);
}

// Ages count on from one sample to the next but where a session begins, and windows lie in what is held.
template <class T>
bool Windowed<T>::is_state(const WindowState<T>& state, std::size_t samples) const noexcept {
  const std::size_t size = state.now.end - state.first;
  if (size != std::min(samples, held())) return false;
  std::ptrdiff_t before = samples > size ? static_cast<std::ptrdiff_t>(samples) : 0;
  for (std::size_t i = state.first; i < state.now.end; ++i) {
    const std::ptrdiff_t age = state.ages[i];
    if (age < -before - 1 || age > before + 1) return false;
    before = age < 0 ? -age : age;
  }
  return state.now.carry.age == before;
}

#define RPSD_WINDOW_STREAMS(T)                                                                                       \
  template std::size_t Windowed<T>::held() const noexcept;                                                           \
  template void Windowed<T>::check(const WindowState<T>&, bool, const T*, std::size_t, std::size_t, std::size_t,     \
                                   std::size_t) const;                                                               \
  template void Windowed<T>::push(WindowState<T>&, bool, const T*, std::size_t, T*) const;                           \
  template void Windowed<T>::flush(const WindowState<T>&, T*) const;                                                 \
  template bool Windowed<T>::is_state(const WindowState<T>&, std::size_t) const noexcept;
RPSD_WINDOW_STREAMS(double)
RPSD_WINDOW_STREAMS(float)

}  // namespace rpsd
