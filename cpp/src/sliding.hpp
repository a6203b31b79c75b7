// SPDX-License-Identifier: MIT
// One value of each of many overlapping windows: what Denoiser does to the window, to the bit, in a quarter of the work.
//
// Coefficients away from a window's ends are shared: those of level k serve every 2^k-th window, and are computed once,
// for all windows alike, as one transform for each place modulo 2^k at which a window may begin. For each window there
// are left the coefficients that its boundary reaches, the median, the energies, and of the way back the few
// coefficients that the wanted sample depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

#include "rpsd/denoise.hpp"

namespace rpsd {

// The magnitudes of the finest details of the last window that began at an even or odd place, in order of size.
template <class T>
struct SortedDetails {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  std::vector<Bits> magnitudes;
  std::size_t begin = 0;  // of the window's details among those of all windows; magnitudes are empty before the first
};

// Memory of one thread, and what is known of the windows it works on.
template <class T>
struct SlidingScratch {
  Buffer<T> shared, split, line, selection;
  std::vector<T> window, shrunk, woven;
  struct Shared {
    T *a, *d;
    std::ptrdiff_t origin;  // a[i] and d[i] are coefficient i + origin of a window at the first place of these
  };
  std::vector<Shared> phases;
  std::vector<T*> a, d;  // by level: coefficients of the windows at hand, one after the other
  std::vector<LevelDetails<T>> levels;
  std::vector<LevelShrinkage> shrinkages;
  SortedDetails<T> sorted[2];
  const T* x = nullptr;
  std::size_t count = 0, shared_levels = 0;
  double energy = 0;
  std::size_t first = 0, last = 0;  // the windows at hand
};

template <class T>
class SlidingShrinkage {
 public:
  // Windows as long as the pyramid's series; both are borrowed. position: of the wanted sample.
  SlidingShrinkage(const Options& options, const Transform<T>& transform, const Pyramid<T>& pyramid, std::size_t position);

  // Whether the options and the length are among those that it serves.
  bool serves() const noexcept { return shared_levels_ > 0; }

  // For windows x[i .. i + n), i < count, of finite samples.
  void prepare(const T* x, std::size_t count, SlidingScratch<T>& scratch) const;

  // The value of window i; none where it is a case of its own, as for a constant window and extreme units.
  std::optional<T> value(std::size_t i, SeriesReport& report, SlidingScratch<T>& scratch) const;

 private:
  // Coefficients [0, low) and [high, count) of a level depend on the boundary.
  struct Level {
    std::size_t count, low, high;
  };
  void share_level(std::size_t k, std::size_t samples, T*& memory, SlidingScratch<T>& scratch) const;
  void transform_ends(std::size_t k, SlidingScratch<T>& scratch) const;
  void transform_all(std::size_t k, SlidingScratch<T>& scratch) const;
  std::size_t apart(std::size_t k) const noexcept;  // between coefficients of neighbouring windows at hand
  double finest_noise(std::size_t i, const T* d, SlidingScratch<T>& scratch) const;
  T invert(std::size_t i, SlidingScratch<T>& scratch) const;

  const Options& options_;
  const Transform<T>& transform_;
  std::size_t n_, position_, levels_;
  std::size_t shared_levels_ = 0;  // of which coefficients lie away from both ends
  std::vector<Level> level_;       // 0: the samples
  std::vector<Range> reach_;       // coefficients that the wanted sample depends on
};

}  // namespace rpsd
