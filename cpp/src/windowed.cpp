// SPDX-License-Identifier: MIT
#include "rpsd/windowed.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"
#include "windowed_parts.hpp"

namespace rpsd {
namespace {

// Whether sessions begin at samples that are asked for in ascending order.
class Sessions {
 public:
  Sessions(const std::vector<std::size_t>& starts, std::size_t from)
      : next_(std::lower_bound(starts.begin(), starts.end(), from)), end_(starts.end()) {}
  bool begins(std::size_t t) noexcept {
    if (next_ == end_ || *next_ != t) return false;
    ++next_;
    return true;
  }

 private:
  std::vector<std::size_t>::const_iterator next_, end_;
};

PriceAction action_of(const SeriesReport& report) noexcept {
  return report.changed && report.price.action != PriceAction::cleaned ? PriceAction::denoised : report.price.action;
}

// What a later window tells beside those before it, if there were any.
void follow(std::optional<SeriesReport>& before, const SeriesReport& next) noexcept {
  const PriceAction action = std::max(before ? action_of(*before) : PriceAction::passthrough, action_of(next));
  SeriesReport& all = before.emplace(next);
  all.price.action = action;
  all.changed = action != PriceAction::passthrough;
}

}  // namespace

template <class T>
Windowed<T>::Windowed(const Options& options, const WindowOptions& windows)
    : core_(std::make_shared<const Core>(options, windows)) {}

template <class T>
typename Windowed<T>::Window Windowed<T>::window_of(const Span& span, std::size_t t) const noexcept {
  const std::size_t begin = t + 1 - std::min(static_cast<std::size_t>(span.age(t)), core_->windows.window);
  return {begin, span.end_of_session(t, core_->windows.lookahead + 1) - begin};
}

template <class T>
void Windowed<T>::check_window(const Span& span, const Window& window) const {
  if (core_->options.space == Space::log && core_->options.outliers == Outliers::spike)
    check_logarithms(core_->options, span.values + window.begin, window.size,
                     {span.place.row, span.place.rows, span.place.offset + window.begin});
}

template <class T>
T Windowed<T>::value(const Span& span, std::size_t t, SeriesReport& report, Work& work) const {
  check_stop();
  const Window window = window_of(span, t);
  check_window(span, window);
  const std::size_t n = window.size;
  const Pyramid<T>* pyramid = &core_->pyramid;
  if (n != pyramid->length(0)) {
    if (!work.pyramid || work.pyramid->length(0) != n) work.pyramid.emplace(core_->denoiser.pyramid(n));
    pyramid = &*work.pyramid;
  }
  T* const y = of_this_thread<Scratch>().window.get(n);
  return core_->denoiser.run_at(t - window.begin, span.values + window.begin, y, report, *pyramid);
}

template <class T>
void Windowed<T>::evaluate(const Span& span, std::size_t begin, std::size_t end, T* y,
                           std::optional<SeriesReport>& report, Work& work) const {
  const auto& [window, lookahead, min_periods] = core_->windows;
  const SlidingShrinkage<T>& sliding = core_->sliding;
  auto& scratch = of_this_thread<Scratch>().sliding;
  std::size_t first = begin, last = begin;  // of whole windows that have been prepared
  for (std::size_t t = begin; t < end; ++t, ++y) {
    *y = kNoValue<T>;
    if (span.ages[t] < static_cast<std::ptrdiff_t>(min_periods) || t + lookahead >= span.size) continue;
    if (sliding.serves() && t >= last && span.ages[t] >= static_cast<std::ptrdiff_t>(window)) {
      const std::size_t session = span.end_of_session(t, std::min(end + lookahead, span.size) - t);
      first = t;
      last = std::max(session - std::min(session, lookahead), t);
      if (last > first) sliding.prepare(span.values + t + 1 - window, last - first, scratch);
    }
    SeriesReport found;
    const std::optional<T> quick = t < last ? sliding.value(t - first, found, scratch) : std::nullopt;
    *y = quick ? *quick : value(span, t, found, work);
    follow(report, found);
  }
}

template <class T>
void Windowed<T>::operator()(Batch<const T> x, Batch<T> y, WindowedReport* reports, int threads,
                             const std::vector<std::size_t>& starts) const {
  active_kernels();
  const std::size_t n = x.length, blocks = (n + kWindowBlock - 1) / kWindowBlock, lookahead = core_->windows.lookahead;
  const auto before = [&](std::size_t block) { return block * kWindowBlock - std::min(block * kWindowBlock, core_->windows.window - 1); };
  // Everything is checked before anything is written; and where each block begins is found, as its first samples may be
  // missing.
  std::vector<Carry<T>> carries(x.rows * blocks);
  parallel_for(x.rows, threads, [&](std::size_t first, std::size_t last) {
    for (std::size_t r = first; r < last; ++r) {
      const T* const row = x.row(r);
      check_samples(core_->options, row, n, {r, x.rows});
      if (core_->options.space == Space::log && core_->options.outliers == Outliers::none)
        check_logarithms(core_->options, row, n, {r, x.rows});
      reports[r] = {};
      Sessions sessions(starts, 0);
      Carry<T> carry;
      std::size_t next = 0;
      for (std::size_t t = 0; t < n; ++t) {
        while (next < blocks && before(next) == t) carries[r * blocks + next++] = carry;
        const std::ptrdiff_t age = carry_on(carry, row[t], sessions.begins(t)).second;
        reports[r].series.missing += age <= 0;
        reports[r].warmup += age > 0 && (age < static_cast<std::ptrdiff_t>(core_->windows.min_periods) || t + lookahead >= n);
      }
    }
  });

  std::vector<std::optional<SeriesReport>> parts(x.rows * blocks);
  parallel_for(parts.size(), threads, [&](std::size_t first, std::size_t last) {
    auto& scratch = of_this_thread<Scratch>();
    Work work;
    for (std::size_t part = first; part < last; ++part) {
      check_stop();
      const std::size_t r = part / blocks, block = part % blocks, offset = before(block);
      const std::size_t begin = block * kWindowBlock, end = std::min(begin + kWindowBlock, n), size = std::min(end + lookahead, n) - offset;
      T* const values = scratch.values.get(size);
      std::ptrdiff_t* const ages = scratch.ages.get(size);
      Sessions sessions(starts, offset);
      Carry<T> carry = carries[part];
      for (std::size_t i = 0; i < size; ++i)
        std::tie(values[i], ages[i]) = carry_on(carry, x.row(r)[offset + i], sessions.begins(offset + i));
      evaluate({values, ages, size, {r, x.rows, offset}}, begin - offset, end - offset, y.row(r) + begin, parts[part], work);
    }
  });
  for (std::size_t r = 0; r < x.rows; ++r) {
    std::optional<SeriesReport> all;
    for (std::size_t block = 0; block < blocks; ++block)
      if (parts[r * blocks + block]) follow(all, *parts[r * blocks + block]);
    const std::size_t missing = reports[r].series.missing;
    if (all) reports[r].series = *all;
    else reports[r].series.noise_sd = kNoValue<double>;
    reports[r].series.missing = missing;
  }
}

template class Windowed<double>;
template class Windowed<float>;

}  // namespace rpsd
