// SPDX-License-Identifier: MIT
// James-Stein shrinkage of neighbouring coefficients together: BlockJS (Cai 1999), NeighBlock (Cai & Silverman 2001).
#pragma once

#include <cstddef>

#include "rpsd/options.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

inline bool is_block_mode(ThresholdMode mode) noexcept {
  return mode == ThresholdMode::blockjs || mode == ThresholdMode::neighblock;
}

// Blocks of `length` coefficients shrink by what they and `margin` neighbours on each side hold.
struct Blocks {
  std::size_t length, margin;
};

// For a series of n samples: blockjs has blocks of floor(ln n) without margin, neighblock of floor(ln n / 2) with
// half of that (no less than 1) as margin.
Blocks blocks_of(ThresholdMode mode, std::size_t n) noexcept;

// d[0..m) *= max(0, 1 - 4.50524 L sigma^2 / S), S the sum of squares of the L coefficients of block and margin; at
// the ends those that there are.
template <class T>
void shrink_blocks(Blocks blocks, T* d, std::size_t m, double sigma, Buffer<double>& scratch);

// The same in one level of a periodic maximal overlap transform, where neighbours lie `stride` apart: the factor of
// each coefficient is averaged over all places that its block can have, as over all shifts of the series.
template <class T>
void shrink_blocks_all_shifts(Blocks blocks, T* d, std::size_t period, std::size_t stride, double sigma,
                              Buffer<double>& scratch);

}  // namespace rpsd
