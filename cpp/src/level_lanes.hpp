// SPDX-License-Identifier: MIT
// Local level problems as the lanes of the state-space kernels.
#pragma once

#include "../kernels/kernels.hpp"
#include "rpsd/state_space.hpp"

namespace rpsd {

constexpr double kLog2 = 0.6931471805599453, kLog2Pi = 1.8378770664093453;

inline void set_lane(kernels::LevelLanes& lanes, std::size_t k, const LocalLevel& problem) noexcept {
  lanes.y[k] = problem.y;
  lanes.seen[k] = problem.seen;
  lanes.q[k] = problem.q;
  lanes.r[k] = problem.r;
}

inline kernels::LevelLanes level_lanes(const LocalLevel* problems, std::size_t count) noexcept {
  kernels::LevelLanes lanes;
  for (std::size_t k = 0; k < kernels::kBundle; ++k) set_lane(lanes, k, problems[k < count ? k : 0]);
  lanes.count = count;
  return lanes;
}

// Eight lanes in one order, that of the kernels' own folds.
inline double folded(const double* s) noexcept {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

}  // namespace rpsd
