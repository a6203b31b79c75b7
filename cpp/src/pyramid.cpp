// SPDX-License-Identifier: MIT
#include "rpsd/pyramid.hpp"

#include <algorithm>
#include <utility>

#include "boundary.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

using Index = std::ptrdiff_t;

// Samples of a tile: its even and odd samples, three levels of them and its details stay in a second-level cache of
// 256 KiB, and the halo of a usual wavelet (90 samples for db4 over four levels) is a few percent of it.
constexpr std::size_t kTileSamples = 4096;

// Sample i (counted from `start`) of a signal that lies apart: even[k] is sample start + 2k, odd[k] the one after.
template <class T>
struct Apart {
  T *even, *odd;
  Index start;

  T& operator()(Index i) const noexcept {
    const auto t = static_cast<std::size_t>(i - start);
    return (t % 2 == 0 ? even : odd)[t / 2];
  }
  // Where the samples from `begin` on go, for a kernel that takes them apart by their own parity.
  std::pair<T*, T*> from(std::size_t begin) const noexcept {
    const auto t = static_cast<std::size_t>(static_cast<Index>(begin) - start);
    return t % 2 == 0 ? std::make_pair(even + t / 2, odd + t / 2) : std::make_pair(odd + t / 2, even + t / 2 + 1);
  }
};

// Fills what of the window [begin, end) lies outside of the signal [0, n).
template <class T>
void extend_window(const Apart<T>& x, Index n, Index begin, Index end, Boundary boundary) noexcept {
  if (boundary == Boundary::symmetric && begin >= -n && end <= 2 * n) {  // nearly all there is
    for (Index i = begin; i < 0; ++i) x(i) = x(-1 - i);
    for (Index i = n; i < end; ++i) x(i) = x(2 * n - 1 - i);
    return;
  }
  for (Index i = begin; i < 0; ++i) x(i) = extend<T>(x, n, i, boundary);
  for (Index i = n; i < end; ++i) x(i) = extend<T>(x, n, i, boundary);
}

}  // namespace

template <class T>
Pyramid<T>::Pyramid(const Transform<T>& transform, std::vector<std::size_t> lengths)
    : transform_(transform), lengths_(std::move(lengths)), tiles_(1), tile_coefficients_(lengths_.back()) {
  if (levels() == 0 || transform.wraps()) return;
  // A halo of (taps - 2)(2^levels - 1) samples must be small beside the tile; shares begin at multiples of eight
  // coefficients, so that every level's begin at even places.
  const std::size_t wanted = levels() < 32 ? kTileSamples >> levels() : 0;
  const std::size_t count = (std::max(wanted, 8 * transform.taps()) + 7) / 8 * 8;
  if (lengths_.back() < 2 * count) return;
  tile_coefficients_ = count;
  tiles_ = lengths_.back() / count;
}

template <class T>
Range Pyramid<T>::share(std::size_t tile, std::size_t level) const noexcept {
  const std::size_t shift = levels() - level;
  const std::size_t begin = tile == 0 ? 0 : (tile * tile_coefficients_) << shift;
  return {begin, tile + 1 == tiles_ ? lengths_[level] : ((tile + 1) * tile_coefficients_) << shift};
}

template <class T>
void Pyramid<T>::forward(std::size_t tile, const T* x, T* const* details, T* approximation, double* energies,
                         PyramidScratch<T>& scratch) const {
  check_stop();
  if (levels() == 0) {
    std::copy(x, x + lengths_[0], approximation);
    return;
  }
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, last = levels();
  const T* taps = transform_.analysis_taps();
  const auto lead = static_cast<Index>(transform_.lead());

  // What the share of the last level needs of the levels before it, one after the other.
  auto& range = scratch.ranges;
  range.assign(last + 1, share(tile, last));
  const auto window_begin = [&](std::size_t k) { return 2 * static_cast<Index>(range[k + 1].begin) - lead; };
  const auto window_size = [&](std::size_t k) { return 2 * (range[k + 1].size() + half - 1); };
  for (std::size_t k = last; k-- > 0;) {
    const Index begin = window_begin(k), end = begin + static_cast<Index>(window_size(k));
    range[k] = {static_cast<std::size_t>(std::max<Index>(begin, 0)),
                static_cast<std::size_t>(std::min(end, static_cast<Index>(lengths_[k])))};
  }
  const auto window = [&](std::size_t k) {
    const std::size_t pairs = window_size(k) / 2;
    return Apart<T>{scratch.even[k % 2].get(pairs), scratch.odd[k % 2].get(pairs), window_begin(k)};
  };

  Apart<T> in = window(0);
  const auto to = in.from(range[0].begin);
  kernel.split(x + range[0].begin, range[0].size(), to.first, to.second);
  for (std::size_t k = 1; k <= last; ++k) {
    const auto n = static_cast<Index>(lengths_[k - 1]);
    const Index begin = in.start, end = begin + static_cast<Index>(window_size(k - 1));
    if (begin < 0 || end > n) extend_window(in, n, begin, end, transform_.boundary());

    const Range own = share(tile, k);
    T* const d = details[k - 1] + own.begin;
    if (k == last) {
      kernel.analysis(in.even, in.odd, own.size(), taps, half, approximation + own.begin, d);
    } else {
      const Apart<T> out = window(k);
      const auto apart = out.from(range[k].begin);
      const std::size_t halo = own.begin - range[k].begin;  // even
      if (halo > 0)
        kernel.analysis_split(in.even, in.odd, halo, taps, half, apart.first, apart.second, scratch.spare.get(halo));
      kernel.analysis_split(in.even + halo, in.odd + halo, own.size(), taps, half, apart.first + halo / 2,
                            apart.second + halo / 2, d);
      in = out;
    }
    if (energies != nullptr) energies[k - 1] = kernel.sum_squares(d, own.size());
  }
}

template <class T>
void Pyramid<T>::inverse(std::size_t tile, const T* approximation, const T* const* details, const LevelShrinkage* shrinkages,
                         T* x, PyramidScratch<T>& scratch) const {
  check_stop();
  if (levels() == 0) {
    std::copy(approximation, approximation + lengths_[0], x);
    return;
  }
  if (transform_.boundary() == Boundary::periodization)
    return inverse_periodized(approximation, details, shrinkages, x, scratch);
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, last = levels();
  const T* taps = transform_.synthesis_taps();

  // What the share of x needs of level 1, that of level 2, and so on. Outputs come in pairs: range k begins at a pair.
  auto& range = scratch.ranges;
  range.assign(last + 1, share(tile, 0));
  for (std::size_t k = 1; k <= last; ++k)
    range[k] = {range[k - 1].begin / 2, (range[k - 1].end + 1) / 2 + half - 1};

  const T* a = approximation + range[last].begin;
  for (std::size_t k = last; k > 0; --k) {
    const T* d = details[k - 1] + range[k].begin;
    if (shrinkages != nullptr) {
      T* const shrunk = scratch.detail.get(range[k].size());
      shrink(shrinkages[k - 1], d, range[k].size(), shrunk);
      d = shrunk;
    }
    const std::size_t pairs = range[k].size() - (half - 1);
    if (k > 1) {
      T* const out = scratch.approximation[k % 2].get(2 * pairs);
      kernel.synthesis(a, d, pairs, taps, half, out);
      a = out;  // shares begin at even places
      continue;
    }
    T* const out = x + range[0].begin;
    const std::size_t whole = range[0].size() / 2;
    kernel.synthesis(a, d, whole, taps, half, out);
    if (whole < pairs) {  // an odd length ends within a pair
      T pair[2];
      kernel.synthesis(a + whole, d + whole, 1, taps, half, pair);
      out[2 * whole] = pair[0];
    }
  }
}

// Coefficients wrap round; output n reads coefficients from (n - half + 1) / 2 on, rounded down, so that for an even
// half the first output computed lies before the signal.
template <class T>
void Pyramid<T>::inverse_periodized(const T* approximation, const T* const* details, const LevelShrinkage* shrinkages, T* x,
                                    PyramidScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t half = transform_.taps() / 2, lead = half / 2, skip = half % 2 == 0 ? 1 : 0;
  const auto wrap = [&](T* wrapped, std::size_t m, std::size_t total) {  // wrapped[lead..lead+m) is there
    for (std::size_t t = lead; t-- > 0;) wrapped[t] = wrapped[t + m];
    for (std::size_t t = lead + m; t < total; ++t) wrapped[t] = wrapped[t - m];
  };
  const T* a = approximation;
  for (std::size_t k = levels(); k > 0; --k) {
    const std::size_t m = lengths_[k], pairs = m + skip, total = std::max(pairs + half - 1, lead + m);
    T* const wrapped_a = scratch.even[0].get(total);
    T* const wrapped_d = scratch.odd[0].get(total);
    std::copy(a, a + m, wrapped_a + lead);
    if (shrinkages != nullptr)
      shrink(shrinkages[k - 1], details[k - 1], m, wrapped_d + lead);
    else
      std::copy(details[k - 1], details[k - 1] + m, wrapped_d + lead);
    wrap(wrapped_a, m, total);
    wrap(wrapped_d, m, total);
    T* const out = scratch.padded.get(2 * pairs);
    kernel.synthesis(wrapped_a, wrapped_d, pairs, transform_.synthesis_taps(), half, out);
    a = out + skip;
  }
  std::copy(a, a + lengths_[0], x);
}

template class Pyramid<double>;
template class Pyramid<float>;

}  // namespace rpsd
