// SPDX-License-Identifier: MIT
#include "lattice_chain.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

// Sums are taken in this many lanes, whatever the instruction set.
constexpr std::size_t kLanes = 8;
// Rows that are kept at a time; those of earlier blocks are computed once more.
constexpr std::size_t kBlock = 4096;
// Rows between two looks whether to stop: a row may take some tens of microseconds.
constexpr std::size_t kStopRows = 64;
// Steps beyond this many standard deviations are jumps.
constexpr double kStepReach = 4.5;

double folded(const double* s) noexcept {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

double dot(const double* u, const double* v, std::size_t n) noexcept {
  double lane[kLanes] = {};
  for (std::size_t i = 0; i < n; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) lane[k] += u[i + k] * v[i + k];
  return folded(lane);
}

// Multiplies row by factor, and returns the sum of the products.
double weigh(double* row, const double* factor, std::size_t n) noexcept {
  double lane[kLanes] = {};
  for (std::size_t i = 0; i < n; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) {
      row[i + k] *= factor[i + k];
      lane[k] += row[i + k];
    }
  return folded(lane);
}

void scale(double* row, double by, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) row[i] *= by;
}

// out[i] = constant + sum over |d| <= reach of kernel[|d|] x[i + d].
void convolve(const double* x, const double* kernel, int reach, double constant, double* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kLanes) {
    double sum[kLanes];
    const double* const middle = x + i;
    for (std::size_t k = 0; k < kLanes; ++k) sum[k] = constant + kernel[0] * middle[k];
    for (int d = 1; d <= reach; ++d) {
      const double w = kernel[d];
      const double* const below = middle - d;
      const double* const above = middle + d;
      for (std::size_t k = 0; k < kLanes; ++k) sum[k] += w * (below[k] + above[k]);
    }
    for (std::size_t k = 0; k < kLanes; ++k) out[i + k] = sum[k];
  }
}

// The same without constant for two kernels; the second has 0 in the middle.
void convolve_two(const double* x, const double* kernel, const double* second, int reach, double* out, double* out_second,
                  std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kLanes) {
    double sum[kLanes], other[kLanes];
    const double* const middle = x + i;
    for (std::size_t k = 0; k < kLanes; ++k) sum[k] = kernel[0] * middle[k];
    for (std::size_t k = 0; k < kLanes; ++k) other[k] = 0;
    for (int d = 1; d <= reach; ++d) {
      const double w = kernel[d], v = second[d];
      const double* const below = middle - d;
      const double* const above = middle + d;
      for (std::size_t k = 0; k < kLanes; ++k) {
        const double both = below[k] + above[k];
        sum[k] += w * both;
        other[k] += v * both;
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) out[i + k] = sum[k];
    for (std::size_t k = 0; k < kLanes; ++k) out_second[i + k] = other[k];
  }
}

// half[d] proportional to exp(-d^2 / (2 s)), d = 0 .. reach, the whole kernel summing to 1. Returns its variance.
double sample_gaussian(double s, int reach, double* half) {
  double sum = 0, squares = 0;
  for (int d = 0; d <= reach; ++d) {
    half[d] = std::exp(-0.5 * d * d / s);
    sum += d == 0 ? half[d] : 2 * half[d];
    squares += 2.0 * d * d * half[d];
  }
  for (int d = 0; d <= reach; ++d) half[d] /= sum;
  return squares / sum;
}

// The sampled Gaussian of a given variance. From 0.8 on, s is that variance to 1e-5; below, it is found by bisection.
void step_kernel(double variance, int reach, double* half) {
  if (variance >= 0.8) {
    sample_gaussian(variance, reach, half);
    return;
  }
  double low = 0.01, high = 1;
  for (int i = 0; i < 48; ++i) {
    const double middle = std::sqrt(low * high);
    (sample_gaussian(middle, reach, half) < variance ? low : high) = middle;
  }
}

}  // namespace

LatticeChain::LatticeChain(const LatticeGrid& grid, std::size_t longest)
    : grid_(grid),
      width_(static_cast<std::size_t>(grid.width)),
      radius_(grid.width + grid.noise_reach + grid.per_tick / 2),
      ones_(width_, 1.0),
      far_(width_),
      backward_(width_),
      weighted_(width_),
      moved_(width_),
      squares_(width_) {
  rows_.get(width_ * std::min(longest, kBlock));
  starts_.resize(width_ * ((longest + kBlock - 1) / kBlock));
}

std::vector<double> LatticeChain::offset_probabilities(const LatticeGrid& grid, const LatticeParameters& parameters,
                                                       int radius) {
  const int half = grid.per_tick / 2;
  std::vector<double> table(static_cast<std::size_t>(2 * radius + 1), parameters.bad_ticks / grid.bad_tick_range);
  for (int j = -grid.noise_reach; j <= grid.noise_reach; ++j) {
    const double p = (1 - parameters.bad_ticks) * parameters.noise[static_cast<std::size_t>(j + grid.noise_reach)];
    // A price half a tick away is rounded to either side.
    for (int d = -half; d <= half; ++d)
      table[static_cast<std::size_t>(radius + j + d)] += std::abs(d) == half ? 0.5 * p : p;
  }
  return table;
}

void LatticeChain::set(const LatticeParameters& parameters) {
  offsets_ = offset_probabilities(grid_, parameters, radius_);
  std::fill(far_.begin(), far_.end(), parameters.bad_ticks / grid_.bad_tick_range);
  jump_ = parameters.jumps / grid_.jump_range;
  const std::size_t levels = grid_.level_scale.size();
  reach_.resize(levels);
  int longest = 0;
  for (std::size_t k = 0; k < levels; ++k) {
    const double sd = std::sqrt(parameters.step_variance * grid_.level_scale[k]);
    reach_[k] = std::clamp(static_cast<int>(std::ceil(kStepReach * sd)), 2, grid_.width);
    longest = std::max(longest, reach_[k]);
  }
  kernel_stride_ = static_cast<std::size_t>(longest) + 1;
  kernel_.assign(levels * kernel_stride_, 0.0);
  kernel_squares_.assign(levels * kernel_stride_, 0.0);
  for (std::size_t k = 0; k < levels; ++k) {
    double* const half = &kernel_[k * kernel_stride_];
    step_kernel(parameters.step_variance * grid_.level_scale[k], reach_[k], half);
    for (int d = 0; d <= reach_[k]; ++d) {
      half[d] *= 1 - parameters.jumps;
      kernel_squares_[k * kernel_stride_ + static_cast<std::size_t>(d)] = d * d * half[d];
    }
  }
  aligned_.resize(width_ + 2 * static_cast<std::size_t>(longest));
}

// P(y[t] | x) of each state of the window.
const double* LatticeChain::probabilities(std::size_t t) const noexcept {
  if (!grid_.seen(t)) return ones_.data();
  const std::int64_t start = grid_.first(t) - grid_.price[t] + radius_;
  if (start < 0 || start + grid_.width > 2 * radius_ + 1) return far_.data();
  return &offsets_[static_cast<std::size_t>(start)];
}

// aligned_[reach + i] = row[i + shift], 0 beyond the row, for -reach <= i < width + reach.
void LatticeChain::align(const double* row, std::int64_t shift, int reach) noexcept {
  const auto length = static_cast<std::int64_t>(width_) + 2 * reach;
  const std::int64_t begin = std::clamp<std::int64_t>(reach - shift, 0, length);
  const std::int64_t end = std::clamp<std::int64_t>(grid_.width + reach - shift, begin, length);
  double* const to = aligned_.data();
  std::fill(to, to + begin, 0.0);
  if (begin < end) std::copy_n(row + (begin - reach + shift), end - begin, to + begin);
  std::fill(to + end, to + length, 0.0);
}

double LatticeChain::start(std::size_t t, double* row) const noexcept {
  std::fill(row, row + width_, 1.0 / grid_.states());
  row[0] = 0;
  const double sum = weigh(row, probabilities(t), width_);
  scale(row, 1 / sum, width_);
  return sum;
}

// P(x[t] | y up to t) in row from the one before; returns P(y[t] | y before t).
double LatticeChain::step(std::size_t t, const double* before, double* row) noexcept {
  const std::size_t level = grid_.level[t];
  align(before, grid_.centre[t] - grid_.centre[t - 1], reach_[level]);
  convolve(&aligned_[static_cast<std::size_t>(reach_[level])], &kernel_[level * kernel_stride_], reach_[level], jump_, row, width_);
  row[0] = 0;
  const double sum = weigh(row, probabilities(t), width_);
  scale(row, 1 / sum, width_);
  return sum;
}

double LatticeChain::log_likelihood(std::size_t begin, std::size_t end) {
  double* const rows = rows_.get(2 * width_);
  double sum = std::log(start(begin, rows));
  for (std::size_t t = begin + 1; t < end; ++t) {
    if (t % kStopRows == 0) check_stop();
    const std::size_t now = (t - begin) % 2;
    sum += std::log(step(t, rows + (1 - now) * width_, rows + now * width_));
  }
  return sum;
}

// The rows of [first, last) of a range that begins at begin; before: the row of first - 1.
double LatticeChain::run_block(std::size_t begin, std::size_t first, std::size_t last, const double* before) {
  double* row = rows_.get(0);
  double sum = 0;
  for (std::size_t t = first; t < last; ++t, before = row, row += width_) {
    if (t % kStopRows == 0) check_stop();
    sum += std::log(t == begin ? start(t, row) : step(t, before, row));
  }
  return sum;
}

void LatticeChain::smooth(std::size_t begin, std::size_t end, LatticeCounts& counts, double* mean, double* variance) {
  const std::size_t blocks = (end - begin + kBlock - 1) / kBlock;
  const auto first = [&](std::size_t block) { return begin + block * kBlock; };
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t last = std::min(end, first(block + 1));
    counts.log_likelihood += run_block(begin, first(block), last, &starts_[block * width_]);
    if (block + 1 == blocks) break;
    const double* const row = rows_.get(0) + (last - first(block) - 1) * width_;
    std::copy(row, row + width_, &starts_[(block + 1) * width_]);
  }
  std::fill(backward_.begin() + 1, backward_.end(), 1.0);
  backward_[0] = 0;
  for (std::size_t block = blocks; block-- > 0;) {
    const std::size_t last = std::min(end, first(block + 1));
    if (block + 1 < blocks) run_block(begin, first(block), last, &starts_[block * width_]);
    smooth_block(begin, first(block), last, &starts_[block * width_], counts, mean, variance);
  }
}

void LatticeChain::smooth_block(std::size_t begin, std::size_t first, std::size_t last, const double* before,
                                LatticeCounts& counts, double* mean, double* variance) {
  const double* row = rows_.get(0) + (last - first - 1) * width_;
  for (std::size_t t = last; t-- > first; row -= width_) {
    if (t % kStopRows == 0) check_stop();
    count_sample(t, row, counts, mean, variance);
    if (t > begin) step_back(t, t == first ? before : row - width_, counts);
  }
}

// P(x[t] | y) = row times backward_, which sums to 1 but for rounding.
void LatticeChain::count_sample(std::size_t t, const double* row, LatticeCounts& counts, double* mean,
                                double* variance) noexcept {
  double* const p = moved_.data();
  std::copy(row, row + width_, p);
  const double total = weigh(p, backward_.data(), width_);
  scale(p, 1 / total, width_);
  const double* const seen = probabilities(t);
  if (seen == far_.data()) {
    counts.beyond += 1;
  } else if (seen != ones_.data()) {
    double* const into = &counts.offset[static_cast<std::size_t>(seen - offsets_.data())];
    for (std::size_t i = 0; i < width_; ++i) into[i] += p[i];
  }
  if (mean == nullptr) return;
  double first[kLanes] = {}, second[kLanes] = {};
  for (std::size_t i = 0; i < width_; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double x = static_cast<double>(i + k) - static_cast<double>(width_ / 2);
      first[k] += p[i + k] * x;
      second[k] += p[i + k] * x * x;
    }
  mean[t] = folded(first);
  variance[t] = std::max(0.0, folded(second) - mean[t] * mean[t]);
}

// backward_: from P(y after t | x[t]) to P(y from t on | x[t - 1]), scaled so that its product with before sums to 1.
void LatticeChain::step_back(std::size_t t, const double* before, LatticeCounts& counts) noexcept {
  const std::size_t level = grid_.level[t];
  const int reach = reach_[level];
  const double total = weigh(backward_.data(), probabilities(t), width_);
  align(backward_.data(), grid_.centre[t - 1] - grid_.centre[t], reach);
  convolve_two(&aligned_[static_cast<std::size_t>(reach)], &kernel_[level * kernel_stride_],
               &kernel_squares_[level * kernel_stride_], reach, moved_.data(), squares_.data(), width_);
  const double walked = dot(before, moved_.data(), width_), jumped = jump_ * total, all = walked + jumped;
  counts.steps += walked / all;
  counts.jumps += jumped / all;
  counts.step_squares += dot(before, squares_.data(), width_) / (all * grid_.level_scale[level]);
  for (std::size_t i = 0; i < width_; ++i) backward_[i] = (moved_[i] + jumped) / all;
  backward_[0] = 0;
}

}  // namespace rpsd
