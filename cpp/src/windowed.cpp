// SPDX-License-Identifier: MIT
#include "rpsd/windowed.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "denoise_parts.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "sliding.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

// Values that are worked on at a time: a block prepares what its first window holds once more.
constexpr std::size_t kBlock = 1024;

template <class T>
constexpr T kMissing = std::numeric_limits<T>::quiet_NaN();

// The next sample: what it counts as, and its age.
template <class T>
std::pair<T, std::ptrdiff_t> carry_on(Carry<T>& carry, T sample, bool begins) noexcept {
  if (begins) carry = {};
  const bool missing = std::isnan(sample);
  if (missing && carry.age == 0) return {T(0), 0};
  if (!missing) carry.last = sample;
  ++carry.age;
  return {carry.last, missing ? -carry.age : carry.age};
}

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

template <class T>
Windowed<T>::Windowed(const Options& options, const WindowOptions& windows)
    : core_(std::make_shared<const Core>(options, windows)) {}

template <class T>
T Windowed<T>::value(const Span& span, std::size_t t, SeriesReport& report, Work& work) const {
  const std::size_t seen = static_cast<std::size_t>(span.age(t));
  const std::size_t begin = t + 1 - std::min(seen, core_->windows.window);
  const std::size_t n = span.end_of_session(t, core_->windows.lookahead + 1) - begin;
  const T* const x = span.values + begin;
  if (core_->options.space == Space::log && core_->options.outliers == Outliers::spike)
    check_logarithms(core_->options, x, n, {span.place.row, span.place.rows, span.place.offset + begin});
  const Pyramid<T>* pyramid = &core_->pyramid;
  if (n != pyramid->length(0)) {
    if (!work.pyramid || work.pyramid->length(0) != n) work.pyramid.emplace(core_->denoiser.pyramid(n));
    pyramid = &*work.pyramid;
  }
  T* const y = of_this_thread<Scratch>().window.get(n);
  return core_->denoiser.run_at(t - begin, x, y, report, *pyramid);
}

template <class T>
void Windowed<T>::evaluate(const Span& span, std::size_t begin, std::size_t end, T* y,
                           std::optional<SeriesReport>& report, Work& work) const {
  const auto& [window, lookahead, min_periods] = core_->windows;
  const SlidingShrinkage<T>& sliding = core_->sliding;
  auto& scratch = of_this_thread<Scratch>().sliding;
  std::size_t first = begin, last = begin;  // of whole windows that have been prepared
  for (std::size_t t = begin; t < end; ++t, ++y) {
    *y = kMissing<T>;
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
  const std::size_t n = x.length, blocks = (n + kBlock - 1) / kBlock, lookahead = core_->windows.lookahead;
  const auto before = [&](std::size_t block) { return block * kBlock - std::min(block * kBlock, core_->windows.window - 1); };
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
      const std::size_t r = part / blocks, block = part % blocks, offset = before(block);
      const std::size_t begin = block * kBlock, end = std::min(begin + kBlock, n), size = std::min(end + lookahead, n) - offset;
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
    else reports[r].series.noise_sd = kMissing<double>;
    reports[r].series.missing = missing;
  }
}

template <class T>
WindowState<T> Windowed<T>::begin() const {
  WindowState<T> state;
  const std::size_t capacity = 2 * (core_->windows.window + core_->windows.lookahead - 1) + kBlock;
  state.values.resize(capacity);
  state.ages.resize(capacity);
  return state;
}

template <class T>
void Windowed<T>::push(WindowState<T>& state, const T* x, std::size_t n, T* y) const {
  active_kernels();
  const Place place{0, 1, state.count};
  check_samples(core_->options, x, n, place);
  if (core_->options.space == Space::log && core_->options.outliers == Outliers::none) check_logarithms(core_->options, x, n, place);
  const std::size_t held = core_->windows.window + core_->windows.lookahead - 1;
  T* const values = state.values.data();
  std::ptrdiff_t* const ages = state.ages.data();
  Work work;
  for (std::size_t done = 0; done < n;) {
    const std::size_t m = std::min(kBlock, n - done);
    state.first = std::max(state.first, state.end - std::min(state.end, held));
    if (state.end + m > state.values.size()) {
      std::copy(values + state.first, values + state.end, values);
      std::copy(ages + state.first, ages + state.end, ages);
      state.end -= state.first;
      state.first = 0;
    }
    for (std::size_t i = 0; i < m; ++i, ++state.end)
      std::tie(values[state.end], ages[state.end]) = carry_on(state.carry, x[done + i], std::exchange(state.begins, false));
    state.count += m;
    // Of samples before the first there is no value.
    const std::size_t size = state.end - state.first, late = std::min(m, m + core_->windows.lookahead - std::min(size, m + core_->windows.lookahead));
    std::fill(y + done, y + done + late, kMissing<T>);
    const std::size_t end = size - std::min(size, core_->windows.lookahead);
    std::optional<SeriesReport> report;
    evaluate({values + state.first, ages + state.first, size, {0, 1, state.count - size}}, end - (m - late), end,
             y + done + late, report, work);
    done += m;
  }
}

template class Windowed<double>;
template class Windowed<float>;

}  // namespace rpsd
