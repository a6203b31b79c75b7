// SPDX-License-Identifier: MIT
// The multilevel transform of one series, cut into tiles that stay in the cache and run on any thread.
//
// A tile computes the coefficients of all levels that belong to its share of the series, once more what it needs of
// its neighbours' (its halo), and so depends on nothing but the series. Every coefficient is the same sum wherever
// it is computed: the bits depend neither on the tiles nor on the threads.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/threshold.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd {

// Half-open.
struct Range {
  std::size_t begin, end;
  std::size_t size() const noexcept { return end - begin; }
};

// Memory of one thread.
template <class T>
struct PyramidScratch {
  Buffer<T> even[2], odd[2], spare, approximation[2], detail, padded;
  std::vector<Range> ranges;
};

template <class T>
class Pyramid {
 public:
  // lengths: samples, then coefficients of level 1, 2, ...; as level_lengths or waverec_length accept them.
  // The transform is borrowed.
  Pyramid(const Transform<T>& transform, std::vector<std::size_t> lengths);

  std::size_t levels() const noexcept { return lengths_.size() - 1; }
  std::size_t length(std::size_t level) const noexcept { return lengths_[level]; }
  std::size_t tiles() const noexcept { return tiles_; }

  // The share of x -> the share of details[0..levels) (level 1 first) and of the approximation of the last level.
  // energies[k], where wanted, receives the sum of squares of the share of details[k].
  void forward(std::size_t tile, const T* x, T* const* details, T* approximation, double* energies,
               PyramidScratch<T>& scratch) const;

  // All coefficients -> the share of x[length(0)]; x may overlap none of them. Details k shrink on the way by
  // shrinkages[k - 1]; not at all where that is null.
  void inverse(std::size_t tile, const T* approximation, const T* const* details, const LevelShrinkage* shrinkages, T* x,
               PyramidScratch<T>& scratch) const;

 private:
  Range share(std::size_t tile, std::size_t level) const noexcept;
  void inverse_periodized(const T* approximation, const T* const* details, const LevelShrinkage* shrinkages, T* x,
                          PyramidScratch<T>& scratch) const;

  const Transform<T>& transform_;
  std::vector<std::size_t> lengths_;
  std::size_t tiles_, tile_coefficients_;  // of the last level
};

}  // namespace rpsd
