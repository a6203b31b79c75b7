// SPDX-License-Identifier: MIT
#include "sliding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "boundary.hpp"
#include "rpsd/block_threshold.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/threshold_selection.hpp"

namespace rpsd {
namespace {

using Index = std::ptrdiff_t;

// Pairs of outputs that synthesis computes at least: a vector of most instruction sets, rather than one by one.
constexpr std::size_t kLeastPairs = 4;
// Windows from which on details in order of size are worth keeping.
constexpr std::size_t kManyWindows = 16;

bool is_plain(const Options& options) noexcept {
  return options.method == Method::wavelet && options.transform == TransformKind::dwt && !is_block_mode(options.threshold_mode) && options.noise != Noise::local && options.noise != Noise::price &&
         options.fir_taps.empty() && options.outliers == Outliers::none && options.space == Space::price;
}

// Samples [begin, end) beyond the signal v(0) .. v(n - 1), which is longer than they are.
template <class T, class Signal>
void extend_to(const Signal& v, Index n, Index begin, Index end, Boundary boundary, T* out) noexcept {
  if (boundary == Boundary::symmetric)
    for (Index i = begin; i < end; ++i) *out++ = v(i < 0 ? -1 - i : 2 * n - 1 - i);
  else
    for (Index i = begin; i < end; ++i) *out++ = extend<T>(v, n, i, boundary);
}

// The magnitude as bits, whose order is that of the magnitudes.
template <class T>
typename SortedDetails<T>::Bits magnitude_bits(T v) noexcept {
  typename SortedDetails<T>::Bits bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits & (static_cast<decltype(bits)>(~static_cast<decltype(bits)>(0)) >> 1);
}

template <class Bits>
void replace_sorted(std::vector<Bits>& sorted, Bits old, Bits next) noexcept {
  const auto out = std::lower_bound(sorted.begin(), sorted.end(), old);
  const auto in = std::lower_bound(sorted.begin(), sorted.end(), next);
  if (in > out) {
    *std::move(out + 1, in, out) = next;
  } else {
    std::move_backward(in, out, out + 1);
    *in = next;
  }
}

// The value of rank r, from 0, among two sorted arrays.
template <class Bits>
Bits ranked(const Bits* u, std::size_t m, const Bits* v, std::size_t few, std::size_t r) noexcept {
  std::size_t j = r + 1 > m ? r + 1 - m : 0;  // of v among the r + 1 least
  while (j < std::min(few, r + 1) && v[j] < u[r - j]) ++j;
  const std::size_t i = r + 1 - j;
  if (i == 0) return v[j - 1];
  return j == 0 ? u[i - 1] : std::max(u[i - 1], v[j - 1]);
}

}  // namespace

template <class T>
SlidingShrinkage<T>::SlidingShrinkage(const Options& options, const Transform<T>& transform, const Pyramid<T>& pyramid,
                                      std::size_t position)
    : options_(options), transform_(transform), n_(pyramid.length(0)), position_(position), levels_(pyramid.levels()) {
  if (!is_plain(options) || transform.wraps() || levels_ == 0 || pyramid.tiles() > 1) return;
  const std::size_t lead = transform.lead(), half = transform.taps() / 2;
  level_.push_back({n_, 0, n_});
  reach_.push_back({position, position + 1});
  for (std::size_t k = 1; k <= levels_; ++k) {
    const std::size_t low = (level_.back().low + lead + 1) / 2, high = level_.back().high / 2;
    if (low < high && shared_levels_ + 1 == k) shared_levels_ = k;
    level_.push_back({pyramid.length(k), low, high});
    reach_.push_back({reach_.back().begin / 2, (reach_.back().end + 1) / 2 + half - 1});
  }
}

// Level k of all windows, one transform of the level before for each place modulo 2^k.
template <class T>
void SlidingShrinkage<T>::share_level(std::size_t k, std::size_t samples, T*& memory, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t taps = transform_.taps(), half = taps / 2, before = std::size_t{1} << (k - 1);
  const auto lead = static_cast<Index>(transform_.lead());
  for (std::size_t r = 0; r < std::min(2 * before, scratch.count); ++r) {
    const std::size_t parent = r % before, odd_place = r / before;
    // In units of 2^(k-1) samples from the parent's first place: what there is of the parent.
    const T* from = scratch.x;
    Index origin = 0;
    std::size_t size = samples;
    if (k > 1) {
      const auto& whole = scratch.phases[before - 2 + parent];
      from = whole.a;
      origin = whole.origin;
      size = static_cast<std::size_t>(scratch.phases[before - 2 + parent].d - whole.a);
    }
    // Coefficient q reads the parent's 2 q + odd_place - lead and the taps - 1 after it.
    const Index least = lead + origin - static_cast<Index>(odd_place);
    const Index first = floor_divide(least + 1, 2).quotient;
    const auto skip = static_cast<std::size_t>(2 * first - least);
    const std::size_t count = size >= taps + skip ? (size - taps - skip) / 2 + 1 : 0;
    T *const a = memory, *const d = a + count;
    memory = d + count;
    scratch.phases[2 * before - 2 + r] = {a, d, first};
    if (count == 0) continue;
    const std::size_t pairs = count + half - 1;
    T *const even = scratch.split.get(2 * pairs), *const odd = even + pairs;
    kernel.split(from + skip, 2 * pairs, even, odd);
    kernel.analysis(even, odd, count, transform_.analysis_taps(), half, a, d);
  }
}

template <class T>
void SlidingShrinkage<T>::prepare(const T* x, std::size_t count, SlidingScratch<T>& scratch) const {
  const std::size_t samples = count - 1 + n_, deepest = std::size_t{1} << shared_levels_;
  scratch.x = x;
  scratch.count = count;
  scratch.peak = 0;
  for (std::size_t i = 0; i < samples; ++i) scratch.peak = std::max(scratch.peak, std::abs(static_cast<double>(x[i])));
  scratch.phases.resize(2 * deepest - 2);
  T* memory = scratch.shared.get(2 * shared_levels_ * (samples + deepest));
  for (std::size_t k = 1; k <= shared_levels_; ++k) share_level(k, samples, memory, scratch);
  for (auto& sorted : scratch.sorted) sorted.magnitudes.clear();

  // Kernels may compute a vector more than is wanted, of what lies behind.
  const std::size_t behind = kLeastPairs + transform_.taps();
  std::size_t total = 0, most = 0;
  for (const Level& level : level_) {
    total += level.count + behind;
    most = std::max(most, level.count + 2 * transform_.taps());
  }
  T* window = scratch.window.get(2 * total);
  std::fill(window, window + 2 * total, T(0));
  scratch.a.resize(levels_ + 1);
  scratch.d.resize(levels_ + 1);
  for (std::size_t k = 1; k <= levels_; ++k) {
    scratch.a[k] = window;
    scratch.d[k] = window + level_[k].count + behind;
    window += 2 * (level_[k].count + behind);
  }
  scratch.line.get(6 * most);
  const std::size_t widest = reach_[levels_].size() + reach_[1].size() + 2 * behind;
  std::fill_n(scratch.shrunk.get(widest), widest, T(0));
  std::fill_n(scratch.woven.get(4 * widest), 4 * widest, T(0));
  scratch.shrinkages.resize(levels_);
}

// What the boundary reaches of level k of window i, of both ends in one go; the rest is copied.
template <class T>
void SlidingShrinkage<T>::transform_ends(std::size_t i, std::size_t k, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, place = std::size_t{1} << k;
  const auto lead = static_cast<Index>(transform_.lead());
  const Level &before = level_[k - 1], &level = level_[k];
  const auto n = static_cast<Index>(before.count);
  const T* const v = k == 1 ? scratch.x + i : scratch.a[k - 1];
  const auto signal = [v](Index t) { return v[t]; };
  const std::size_t ends = level.low + level.count - level.high, pairs = ends + 2 * (half - 1);
  T *const line = scratch.line.get(6 * pairs), *const even = line + 2 * pairs, *const odd = even + pairs;
  T *const a = odd + pairs, *const d = a + pairs;
  extend_to(signal, n, -lead, 0, transform_.boundary(), line);
  T* to = std::copy(v, v + 2 * level.low, line + lead);
  to = std::copy(v + static_cast<Index>(2 * level.high) - lead, v + n, to);
  extend_to(signal, n, n, static_cast<Index>(2 * level.count), transform_.boundary(), to);
  kernel.split(line, 2 * pairs, even, odd);
  const std::size_t outputs = pairs - (half - 1), right = level.low + half - 1;
  kernel.analysis(even, odd, outputs, transform_.analysis_taps(), half, a, d);

  const auto& shared = scratch.phases[place - 2 + i % place];
  const auto from = static_cast<std::size_t>(static_cast<Index>(i / place + level.low) - shared.origin);
  const std::size_t inside = level.high - level.low;
  const auto assemble = [&](const T* edges, const T* middle, T* out) {
    out = std::copy(edges, edges + level.low, out);
    out = std::copy(middle + from, middle + from + inside, out);
    std::copy(edges + right, edges + outputs, out);
  };
  assemble(a, shared.a, scratch.a[k]);
  assemble(d, shared.d, scratch.d[k]);
}

// Level k where every coefficient depends on the boundary.
template <class T>
void SlidingShrinkage<T>::transform_all(std::size_t k, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, pairs = level_[k].count + half - 1;
  const auto lead = static_cast<Index>(transform_.lead());
  const auto n = static_cast<Index>(level_[k - 1].count);
  const T* const v = scratch.a[k - 1];
  T *const line = scratch.line.get(4 * pairs), *const even = line + 2 * pairs, *const odd = even + pairs;
  for (Index t = -lead; t < 2 * static_cast<Index>(pairs) - lead; ++t)
    line[t + lead] = extend<T>([v](Index at) { return v[at]; }, n, t, transform_.boundary());
  kernel.split(line, 2 * pairs, even, odd);
  kernel.analysis(even, odd, level_[k].count, transform_.analysis_taps(), half, scratch.a[k], scratch.d[k]);
}

template <class T>
double SlidingShrinkage<T>::finest_noise(std::size_t i, SlidingScratch<T>& scratch) const {
  const Level& level = level_[1];
  const T* const d = scratch.d[1];
  const std::size_t few = level.count - (level.high - level.low);
  std::array<typename SortedDetails<T>::Bits, 64> edges;
  if (scratch.count < kManyWindows || few > edges.size()) return mad_noise(d, level.count, scratch.selection);
  const auto& shared = scratch.phases[i % 2];
  SortedDetails<T>& sorted = scratch.sorted[i % 2];
  const auto begin = static_cast<std::size_t>(static_cast<Index>(i / 2 + level.low) - shared.origin);
  const std::size_t inside = level.high - level.low;
  if (sorted.magnitudes.empty()) {
    sorted.magnitudes.resize(inside);
    std::transform(shared.d + begin, shared.d + begin + inside, sorted.magnitudes.begin(), magnitude_bits<T>);
    std::sort(sorted.magnitudes.begin(), sorted.magnitudes.end());
    sorted.begin = begin;
  }
  for (; sorted.begin < begin; ++sorted.begin)
    replace_sorted(sorted.magnitudes, magnitude_bits(shared.d[sorted.begin]), magnitude_bits(shared.d[sorted.begin + inside]));
  std::transform(d, d + level.low, edges.begin(), magnitude_bits<T>);
  std::transform(d + level.high, d + level.count, edges.begin() + static_cast<Index>(level.low), magnitude_bits<T>);
  std::sort(edges.begin(), edges.begin() + static_cast<Index>(few));
  const auto value = [&](std::size_t rank) {
    const auto bits = ranked(sorted.magnitudes.data(), inside, edges.data(), few, rank);
    T v;
    std::memcpy(&v, &bits, sizeof v);
    return static_cast<double>(v);
  };
  // As median_abs; no sum overflows here.
  const double u = value((level.count - 1) / 2), v = level.count % 2 == 0 ? value(level.count / 2) : u;
  return (u == v ? u : (u + v) / 2) / kNormalQuartile;
}

template <class T>
T SlidingShrinkage<T>::invert(SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2;
  T* const shrunk = scratch.shrunk.get(0);
  T* const woven = scratch.woven.get(0);
  const std::size_t apart = 2 * (reach_[levels_].size() + reach_[1].size() + 2 * (kLeastPairs + transform_.taps()));
  const T* a = scratch.a[levels_] + reach_[levels_].begin;
  for (std::size_t k = levels_; k > 0; --k) {
    shrink(scratch.shrinkages[k - 1], scratch.d[k] + reach_[k].begin, reach_[k].size(), shrunk);
    T* const out = woven + (k % 2) * apart;
    kernel.synthesis(a, shrunk, std::max(reach_[k].size() - (half - 1), kLeastPairs), transform_.synthesis_taps(), half, out);
    a = out + (reach_[k - 1].begin - 2 * reach_[k].begin);
  }
  return *a;
}

template <class T>
std::optional<T> SlidingShrinkage<T>::value(std::size_t i, SeriesReport& report, SlidingScratch<T>& scratch) const {
  const T* const x = scratch.x + i;
  // Magnitudes between which no sum of squares asks for other units.
  const double most = sizeof(T) == 8 ? 1e90 : 1e25;
  if (!(scratch.peak < most) || !(std::abs(static_cast<double>(x[0])) > 1 / most)) return std::nullopt;
  if (std::all_of(x, x + n_, [x](T v) { return v == x[0]; })) return std::nullopt;
  for (std::size_t k = 1; k <= levels_; ++k) {
    if (k <= shared_levels_) transform_ends(i, k, scratch);
    else transform_all(k, scratch);
  }
  report = SeriesReport{};
  report.level = static_cast<int>(levels_);
  report.noise_sd = options_.noise == Noise::given ? options_.noise_sd : finest_noise(i, scratch);
  // Beyond this the noise is no rounding, whatever the energy is.
  const double unit = 17 * static_cast<double>(std::numeric_limits<T>::epsilon());
  if (options_.noise == Noise::mad && !(report.noise_sd > unit * scratch.peak * std::sqrt(static_cast<double>(n_))))
    return std::nullopt;
  scratch.levels.clear();
  for (std::size_t k = 1; k <= levels_; ++k) {
    const std::size_t m = level_[k].count;
    const double energy = active_table<T>().sum_squares(scratch.d[k], m);
    const double sigma =
        options_.noise == Noise::level && k > 1 ? mad_noise(scratch.d[k], m, scratch.selection) : report.noise_sd;
    scratch.levels.push_back({scratch.d[k], m, energy / static_cast<double>(m), sigma});
  }
  select_shrinkages(options_, scratch.levels.data(), levels_, n_, 1, scratch.shrinkages.data());
  report.changed = true;
  return invert(scratch);
}

template class SlidingShrinkage<double>;
template class SlidingShrinkage<float>;

}  // namespace rpsd
