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
// Windows whose ends are transformed side by side, to fill the kernels' vectors.
constexpr std::size_t kGroup = 8;
// Windows from which on it is worth to share, and to keep details in order of size.
constexpr std::size_t kManyWindows = 16;

bool is_plain(const Options& options) noexcept {
  return options.method == Method::wavelet && options.transform == TransformKind::dwt &&
         !is_block_mode(options.threshold_mode) && options.noise != Noise::local && options.noise != Noise::price &&
         options.fir_taps.empty() && options.min_gain_db == 0 && options.outliers == Outliers::none &&
         options.space == Space::price;
}

// The `before` samples ahead of v[0..n) -> out; and the `after` behind it.
template <class T>
void extend_left(const T* v, std::size_t n, std::size_t before, Boundary boundary, T* out) noexcept {
  const auto signal = [v](Index t) { return v[t]; };
  if (boundary == Boundary::symmetric && before <= n)
    for (std::size_t t = 0; t < before; ++t) out[t] = v[before - 1 - t];
  else
    for (std::size_t t = 0; t < before; ++t)
      out[t] = extend<T>(signal, static_cast<Index>(n), static_cast<Index>(t) - static_cast<Index>(before), boundary);
}
template <class T>
void extend_right(const T* v, std::size_t n, std::size_t after, Boundary boundary, T* out) noexcept {
  const auto signal = [v](Index t) { return v[t]; };
  if (boundary == Boundary::symmetric && after <= n)
    for (std::size_t t = 0; t < after; ++t) out[t] = v[n - 1 - t];
  else
    for (std::size_t t = 0; t < after; ++t)
      out[t] = extend<T>(signal, static_cast<Index>(n), static_cast<Index>(n + t), boundary);
}

// What vectors read beyond what counts is some number: memory starts as zeros.
template <class T>
T* grown(std::vector<T>& memory, std::size_t size) {
  if (memory.size() < size) memory.resize(size);
  return memory.data();
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
  scratch.x = x;
  scratch.count = count;
  scratch.shared_levels = count < kManyWindows ? 0 : shared_levels_;
  const std::size_t samples = count - 1 + n_, deepest = std::size_t{1} << scratch.shared_levels;
  scratch.energy = active_table<T>().sum_squares(x, samples);
  scratch.phases.resize(2 * deepest - 2);
  T* memory = scratch.shared.get(2 * scratch.shared_levels * (samples + deepest));
  for (std::size_t k = 1; k <= scratch.shared_levels; ++k) share_level(k, samples, memory, scratch);
  for (auto& sorted : scratch.sorted) sorted.magnitudes.clear();

  scratch.first = scratch.last = 0;

  std::size_t total = 0, most = 0;
  for (std::size_t k = 1; k <= levels_; ++k) {
    total += 2 * kGroup * apart(k);
    most = std::max(most, apart(k - 1) + apart(k));
  }
  T* window = grown(scratch.window, total);
  scratch.a.resize(levels_ + 1);
  scratch.d.resize(levels_ + 1);
  for (std::size_t k = 1; k <= levels_; ++k) {
    scratch.a[k] = window;
    scratch.d[k] = window + kGroup * apart(k);
    window += 2 * kGroup * apart(k);
  }
  scratch.line.get(6 * kGroup * most);
  const std::size_t widest = reach_[levels_].size() + reach_[1].size() + 2 * (kLeastPairs + transform_.taps());
  grown(scratch.shrunk, widest);
  grown(scratch.woven, 4 * widest);
  scratch.shrinkages.resize(levels_);
}

// Kernels may compute a vector more than is wanted, of what lies behind.
template <class T>
std::size_t SlidingShrinkage<T>::apart(std::size_t k) const noexcept {
  return level_[k].count + kLeastPairs + 2 * transform_.taps();
}

// What the boundary reaches of level k of the windows at hand, of all their ends in one go; the rest is copied.
template <class T>
void SlidingShrinkage<T>::transform_ends(std::size_t k, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, lead = transform_.lead(), place = std::size_t{1} << k;
  const std::size_t first = scratch.first, windows = scratch.last - first;
  const Level &before = level_[k - 1], &level = level_[k];
  const std::size_t n = before.count, from_right = 2 * level.high - lead;
  const std::size_t pairs = level.low + level.count - level.high + 2 * (half - 1), all = windows * pairs;
  T *const line = scratch.line.get(6 * all), *const even = line + 2 * all, *const odd = even + all;
  T *const a = odd + all, *const d = a + all;
  for (std::size_t w = 0; w < windows; ++w) {
    const T* const v = k == 1 ? scratch.x + first + w : scratch.a[k - 1] + w * apart(k - 1);
    T* to = line + 2 * w * pairs;
    extend_left(v, n, lead, transform_.boundary(), to);
    to = std::copy(v, v + 2 * level.low, to + lead);
    to = std::copy(v + from_right, v + n, to);
    extend_right(v, n, 2 * level.count - n, transform_.boundary(), to);
  }
  kernel.split(line, 2 * all, even, odd);
  kernel.analysis(even, odd, all - (half - 1), transform_.analysis_taps(), half, a, d);

  const std::size_t right = level.low + half - 1, inside = level.high - level.low;
  for (std::size_t w = 0; w < windows; ++w) {
    const auto& shared = scratch.phases[place - 2 + ((first + w) & (place - 1))];
    const auto from = static_cast<std::size_t>(static_cast<Index>(((first + w) >> k) + level.low) - shared.origin);
    const auto assemble = [&](const T* edges, const T* middle, T* out) {
      out = std::copy(edges, edges + level.low, out);
      out = std::copy(middle + from, middle + from + inside, out);
      std::copy(edges + right, edges + pairs - (half - 1), out);
    };
    assemble(a + w * pairs, shared.a, scratch.a[k] + w * apart(k));
    assemble(d + w * pairs, shared.d, scratch.d[k] + w * apart(k));
  }
}

// All of level k, where nothing is shared or every coefficient depends on the boundary.
template <class T>
void SlidingShrinkage<T>::transform_all(std::size_t k, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, pairs = level_[k].count + half - 1;
  const std::size_t lead = transform_.lead(), n = level_[k - 1].count, after = 2 * pairs - lead - n;
  T *const line = scratch.line.get(4 * pairs), *const even = line + 2 * pairs, *const odd = even + pairs;
  for (std::size_t w = 0; w < scratch.last - scratch.first; ++w) {
    const T* const v = k == 1 ? scratch.x + scratch.first + w : scratch.a[k - 1] + w * apart(k - 1);
    extend_left(v, n, lead, transform_.boundary(), line);
    extend_right(v, n, after, transform_.boundary(), std::copy(v, v + n, line + lead));
    kernel.split(line, 2 * pairs, even, odd);
    kernel.analysis(even, odd, level_[k].count, transform_.analysis_taps(), half, scratch.a[k] + w * apart(k),
                    scratch.d[k] + w * apart(k));
  }
}

template <class T>
double SlidingShrinkage<T>::finest_noise(std::size_t i, const T* d, SlidingScratch<T>& scratch) const {
  const Level& level = level_[1];
  const std::size_t few = level.count - (level.high - level.low);
  std::array<typename SortedDetails<T>::Bits, 64> edges;
  if (scratch.shared_levels == 0 || few > edges.size()) return mad_noise(d, level.count, scratch.selection);
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
    replace_sorted(sorted.magnitudes, magnitude_bits(shared.d[sorted.begin]),
                   magnitude_bits(shared.d[sorted.begin + inside]));
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
T SlidingShrinkage<T>::invert(std::size_t i, SlidingScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, w = i - scratch.first;
  T* const shrunk = scratch.shrunk.data();
  T* const woven = scratch.woven.data();
  const std::size_t half_woven = 2 * (reach_[levels_].size() + reach_[1].size() + 2 * (kLeastPairs + transform_.taps()));
  const T* a = scratch.a[levels_] + w * apart(levels_) + reach_[levels_].begin;
  for (std::size_t k = levels_; k > 0; --k) {
    shrink(scratch.shrinkages[k - 1], scratch.d[k] + w * apart(k) + reach_[k].begin, reach_[k].size(), shrunk);
    T* const out = woven + (k % 2) * half_woven;
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
  if (!(scratch.energy < most * most) || !(std::abs(static_cast<double>(x[0])) > 1 / most)) return std::nullopt;
  if (std::all_of(x, x + n_, [x](T v) { return v == x[0]; })) return std::nullopt;
  if (i < scratch.first || i >= scratch.last) {
    scratch.first = i;
    scratch.last = std::min(i + kGroup, scratch.count);
    for (std::size_t k = 1; k <= levels_; ++k)
      k <= scratch.shared_levels ? transform_ends(k, scratch) : transform_all(k, scratch);
  }
  const auto details = [&](std::size_t k) { return scratch.d[k] + (i - scratch.first) * apart(k); };
  report = SeriesReport{};
  report.level = static_cast<int>(levels_);
  report.noise_sd = options_.noise == Noise::given ? options_.noise_sd : finest_noise(i, details(1), scratch);
  // Beyond the first bound, which is that of all windows, the noise is no rounding.
  const double unit = 17 * static_cast<double>(std::numeric_limits<T>::epsilon());
  if (options_.noise != Noise::given && !(report.noise_sd > unit * std::sqrt(scratch.energy)) &&
      is_rounding(report.noise_sd, x, n_, active_table<T>().sum_squares(x, n_)))
    return std::nullopt;
  scratch.levels.clear();
  for (std::size_t k = 1; k <= levels_; ++k) {
    const std::size_t m = level_[k].count;
    const T* const d = details(k);
    const double energy = active_table<T>().sum_squares(d, m);
    const double sigma = options_.noise == Noise::level && k > 1 ? mad_noise(d, m, scratch.selection) : report.noise_sd;
    scratch.levels.push_back({d, m, energy / static_cast<double>(m), sigma});
  }
  select_shrinkages(options_, scratch.levels.data(), levels_, n_, 1, scratch.shrinkages.data());
  report.changed = true;
  return invert(i, scratch);
}

template class SlidingShrinkage<double>;
template class SlidingShrinkage<float>;

}  // namespace rpsd
