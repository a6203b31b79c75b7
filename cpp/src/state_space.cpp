// SPDX-License-Identifier: MIT
#include "rpsd/state_space.hpp"

#include <algorithm>

#include "level_lanes.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/view.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::kBundle;

// Samples over which the filter's results are kept for the way back; longer series are filtered once more, segment by
// segment, from where the filter stood at its start, rather than kept whole: so they stay in the second-level cache.
constexpr std::size_t kSegment = kStopPiece;
constexpr std::size_t kKept = 3 * kBundle;  // values a sample

struct SmootherMemory {
  Buffer<double> kept;
  Buffer<kernels::LevelState> starts;
};

kernels::SmoothedLanes smoothed_lanes(const Smoothed* out, std::size_t count) {
  kernels::SmoothedLanes lanes;
  for (std::size_t k = 0; k < kBundle; ++k) {
    const Smoothed& from = out[k < count ? k : 0];
    lanes.mean[k] = from.mean;
    lanes.variance[k] = from.variance;
    lanes.step_square[k] = from.step_square;
  }
  return lanes;
}

// The filter forward, keeping where each segment begins, and the smoother back.
kernels::LevelState smooth_bundle(const kernels::LevelLanes& lanes, const kernels::SmoothedLanes& out, std::size_t n) {
  const auto& kernel = state_space_kernels(lanes.count);
  auto& memory = of_this_thread<SmootherMemory>();
  const std::size_t segments = (n + kSegment - 1) / kSegment;
  double* const kept = memory.kept.get(std::min(n, kSegment) * kKept);
  kernels::LevelState* const starts = memory.starts.get(segments);
  kernels::LevelState last = {};
  for (std::size_t s = 0; s < segments; ++s) {
    check_stop();
    starts[s] = last;
    kernel.filter(lanes, s * kSegment, std::min(n, (s + 1) * kSegment), last, kept);
  }
  kernels::SmootherState state = {};
  std::copy(last.mean, last.mean + kBundle, state.mean);
  std::copy(last.variance, last.variance + kBundle, state.variance);
  for (std::size_t s = segments; s-- > 0;) {
    check_stop();
    const std::size_t begin = s * kSegment, end = std::min(n, begin + kSegment);
    if (s + 1 < segments) kernel.filter(lanes, begin, end, starts[s], kept);
    kernel.smooth(out, lanes.count, begin, end, n, state, kept);
  }
  for (std::size_t k = 0; k < lanes.count; ++k) out.step_square[k][0] = 0;
  return last;
}

// log p of the samples after the first: -1/2 sum (log 2 pi + log F + e^2 / F).
void log_likelihoods_of(const kernels::LevelState& state, const LocalLevel* problems, std::size_t count, double* out) {
  double logs[kBundle];
  active_kernels().state_space.logarithms(state.mantissa, kBundle, logs);
  for (std::size_t k = 0; k < count; ++k)
    out[k] = -0.5 * ((active_table<double>().sum(problems[k].seen, problems[k].n) - 1) * kLog2Pi + (logs[k] + state.exponent[k] * kLog2) + state.squares[k]);
}

}  // namespace

void smooth(const LocalLevel* problems, const Smoothed* out, std::size_t count, double* log_likelihoods) {
  for (std::size_t i = 0; i < count; i += kBundle) {
    const std::size_t lanes = std::min(kBundle, count - i);
    const auto state = smooth_bundle(level_lanes(problems + i, lanes), smoothed_lanes(out + i, lanes), problems[i].n);
    if (log_likelihoods != nullptr) log_likelihoods_of(state, problems + i, lanes, log_likelihoods + i);
  }
}

void log_likelihood(const LocalLevel* problems, std::size_t count, double* out) {
  for (std::size_t i = 0; i < count; i += kBundle) {
    const std::size_t lanes = std::min(kBundle, count - i);
    kernels::LevelState state = {};
    const auto level = level_lanes(problems + i, lanes);
    in_pieces(0, problems[i].n, kStopPiece, [&](std::size_t begin, std::size_t end) {
      state_space_kernels(lanes).likelihood(level, begin, end, state);
    });
    log_likelihoods_of(state, problems + i, lanes, out + i);
  }
}

}  // namespace rpsd
