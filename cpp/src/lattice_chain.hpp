// SPDX-License-Identifier: MIT
// The hidden Markov chain behind prices on ticks: its grid, its parameters, and the forward-backward recursions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rpsd/view.hpp"

namespace rpsd {

// States are numbered along the price axis, per_tick of them a tick, 0 at the first price seen. At each time those of a window are kept.
struct LatticeGrid {
  LatticeGrid(const double* y, const double* seen, std::size_t n, double tick, double noise_variance, double step_variance,
              const double* step_scale);

  bool seen(std::size_t t) const noexcept { return price[t] != kMissing; }
  // States in a window: as many above its middle as below, or prices turned upside down would be smoothed otherwise. The
  // first place of a row has no counterpart and stays empty.
  int states() const noexcept { return width - 1; }
  // The state of the first place of the row of time t.
  std::int64_t first(std::size_t t) const noexcept { return centre[t] - width / 2; }

  static constexpr std::int64_t kMissing = INT64_MIN;

  int per_tick;
  int width;                          // places of a row, a multiple of 8: see states()
  int noise_reach;                    // states on each side that noise before rounding may move the price by
  double origin;                      // price of state 0
  double spacing;                     // between states
  double bad_tick_range;              // ticks over which a bad tick is uniform
  double jump_range;                  // states over which a jump is
  std::vector<std::int64_t> price;    // state of y[t]
  std::vector<std::int64_t> centre;   // state in the middle of the window
  std::vector<std::uint8_t> level;    // of the variance of the step into t
  std::vector<double> level_scale;    // factor of the variance at each level
};

struct LatticeParameters {
  std::vector<double> noise;  // probabilities of -noise_reach .. noise_reach states before rounding, symmetric
  double step_variance;       // squared states
  double bad_ticks;           // share of samples
  double jumps;               // share of steps
};

// Expected counts given the prices.
struct LatticeCounts {
  double log_likelihood = 0;
  std::vector<double> offset;  // of x - y in states, -radius .. radius
  double beyond = 0;           // samples farther off
  double step_squares = 0;     // squared states at scale 1, over steps without jump
  double steps = 0;
  double jumps = 0;
};

class LatticeChain {
 public:
  LatticeChain(const LatticeGrid& grid, std::size_t longest);

  void set(const LatticeParameters& parameters);
  // Probability of each offset x - y in states, -radius .. radius; the rounding of a price is spread over a tick.
  static std::vector<double> offset_probabilities(const LatticeGrid& grid, const LatticeParameters& parameters, int radius);
  int radius() const noexcept { return radius_; }

  // Of the prices of [begin, end), the first state uniform over its window.
  double log_likelihood(std::size_t begin, std::size_t end);
  // Adds to counts; mean and variance in states about the window's centre, indexed by t, or null.
  void smooth(std::size_t begin, std::size_t end, LatticeCounts& counts, double* mean, double* variance);

 private:
  const double* probabilities(std::size_t t) const noexcept;
  void align(const double* row, std::int64_t shift, int reach) noexcept;
  double start(std::size_t t, double* row) const noexcept;
  double step(std::size_t t, const double* before, double* row) noexcept;
  double run_block(std::size_t begin, std::size_t first, std::size_t last, const double* before);
  void smooth_block(std::size_t begin, std::size_t first, std::size_t last, const double* before, LatticeCounts& counts,
                    double* mean, double* variance);
  void count_sample(std::size_t t, const double* row, LatticeCounts& counts, double* mean, double* variance) noexcept;
  void step_back(std::size_t t, const double* before, LatticeCounts& counts) noexcept;

  const LatticeGrid& grid_;
  std::size_t width_;
  int radius_;
  double jump_ = 0;                  // probability of a jump to any one state
  std::vector<double> offsets_;      // probabilities of the offsets
  std::vector<double> ones_, far_;   // probabilities where the price is missing, and where it is far from the window
  std::vector<int> reach_;           // of each level's kernel of steps
  std::vector<double> kernel_;       // half of each kernel, kernel_stride_ apart
  std::vector<double> kernel_squares_;  // times the squared step
  std::size_t kernel_stride_ = 0;
  std::vector<double> aligned_, backward_, weighted_, moved_, squares_;
  Buffer<double> rows_;
  std::vector<double> starts_;  // the row before each block
};

}  // namespace rpsd
