// SPDX-License-Identifier: MIT
// Bad ticks of a series that is still coming: what leaves the level by far counts as missing until it has stayed.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

namespace rpsd {

// A sample more than some fifteen mean moves (twelve standard deviations of Gaussian ones; no whole number, which ticks
// are: rounding would decide) from the last one that was believed is held back; the third in a row that lie as near to one
// another is believed: a move that stays. Moves are those that are not zero, of some 64 samples, each counted with four
// times the mean at most; the first eight are believed whatever they are, and after a gap a move may be larger by the
// square root of its length. All of it is doubles, so that a copy of them is a snapshot.
struct SpikeGuard {
  static constexpr std::size_t kSize = 6;

  double last = std::numeric_limits<double>::quiet_NaN();  // believed
  double mean_move = 0, moves = 0;
  double gap = 0;                      // samples since the last that was believed
  double suspect = 0, suspects = 0;    // the last that was held back, and how many in a row

  static SpikeGuard load(const double* from) noexcept { return {from[0], from[1], from[2], from[3], from[4], from[5]}; }
  void store(double* to) const noexcept {
    const double all[kSize] = {last, mean_move, moves, gap, suspect, suspects};
    for (std::size_t i = 0; i < kSize; ++i) to[i] = all[i];
  }

  // The value, or NaN where it is missing or held back.
  double pass(double value) noexcept {
    constexpr double kFar = 14.998, kMost = 4, kMemory = 64, kLeastMoves = 8, kStays = 3;
    ++gap;
    if (std::isnan(value)) return value;
    const double move = std::abs(value - last);
    const double far = moves < kLeastMoves ? std::numeric_limits<double>::infinity() : kFar * mean_move * std::sqrt(gap);
    if (!(move > far)) {
      if (move > 0) {
        const double counted = moves < kLeastMoves || move < kMost * mean_move ? move : kMost * mean_move;
        moves += moves < kMemory ? 1 : 0;
        mean_move += (counted - mean_move) / moves;
      }
    } else {
      suspects = suspects > 0 && std::abs(value - suspect) <= far ? suspects + 1 : 1;
      suspect = value;
      if (suspects < kStays) return std::numeric_limits<double>::quiet_NaN();
    }
    last = value;
    gap = suspects = 0;
    return value;
  }
};

}  // namespace rpsd
