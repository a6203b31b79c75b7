// SPDX-License-Identifier: MIT
#include "rpsd/scale_mixture.hpp"

#include <algorithm>

#include "level_lanes.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/view.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::kBundle;

constexpr double kLeastProbability = 1e-12;  // of a scale that counts in a likelihood
constexpr double kLeastWeight = 1e-250;      // of a scale in a site, so that some likelihood is never zero
constexpr double kPriorVariance = 100;
constexpr std::size_t kPriorSamples = 5;

constexpr double scale(std::size_t k) { return static_cast<double>(std::size_t{1} << (2 * k)); }

// Median of the first samples seen, the upper one of two.
double first_level(const LocalLevel& problem) {
  double first[kPriorSamples];
  std::size_t count = 0;
  for (std::size_t t = 0; t < problem.n && count < kPriorSamples; ++t)
    if (problem.seen[t] > 0) first[count++] = problem.y[t];
  std::sort(first, first + count);
  return first[count / 2];
}

// The weights of one problem's scales as a lane; returns the largest scale that counts.
double set_weights(const double* weights, std::size_t scales, std::size_t lane, double (*table)[kBundle]) {
  double largest = 0;
  for (std::size_t k = 0; k < scales; ++k) {
    const bool counts = weights[k] >= kLeastProbability;
    table[k][lane] = counts ? weights[k] : 0;
    if (counts) largest = scale(k);
  }
  return largest;
}

// Drops the scales that no lane has; returns how many are left.
std::size_t keep_used(std::size_t scales, double (*table)[kBundle], double* scale_of) {
  std::size_t used = 0;
  for (std::size_t k = 0; k < scales; ++k) {
    if (std::all_of(table[k], table[k] + kBundle, [](double weight) { return weight == 0; })) continue;
    std::copy(table[k], table[k] + kBundle, table[used]);
    scale_of[used++] = scale(k);
  }
  return used;
}

kernels::MixtureLanes mixture_lanes(const ScaleMixture* problems, std::size_t count) {
  kernels::MixtureLanes lanes;
  lanes.level.count = count;
  for (std::size_t k = 0; k < kBundle; ++k) {
    const ScaleMixture& problem = problems[k < count ? k : 0];
    set_lane(lanes.level, k, problem.base);
    lanes.largest_step[k] = set_weights(problem.step_weights, kStepScales, k, lanes.step_weight);
    lanes.largest_noise[k] = set_weights(problem.noise_weights, kNoiseScales, k, lanes.noise_weight);
    lanes.mean_step[k] = 0;
    for (std::size_t s = 0; s < kStepScales; ++s) lanes.mean_step[k] += lanes.step_weight[s][k] * scale(s);
  }
  lanes.steps = keep_used(kStepScales, lanes.step_weight, lanes.step_scale);
  lanes.noises = keep_used(kNoiseScales, lanes.noise_weight, lanes.noise_scale);
  return lanes;
}

// Samples that are averaged to one before the moving average, whose weights hardly differ over so few.
constexpr std::size_t kBlock = 4;
constexpr std::size_t kReach = 15;   // blocks
constexpr std::size_t kMargin = 68;  // samples that blocks about the ends reach, and interpolation between blocks

// A symmetric Gaussian's taps on blocks, of sum one. Averages over blocks and the lines between them widen it: by the
// variance of a place within a block, 5/4, and the mean over places of what a line adds, 11/4.
void gaussian_taps(double* taps) {
  constexpr double kVariance = (kVolatilityBandwidth * kVolatilityBandwidth - 4) / (kBlock * kBlock);
  constexpr std::size_t kCount = 2 * kReach + 1;
  for (std::size_t k = 0; k < kCount; ++k) {
    const double distance = static_cast<double>(k) - static_cast<double>(kReach);
    taps[k] = -0.5 * distance * distance / kVariance;
  }
  active_kernels().state_space.exponentials(taps, kCount, taps);
  const double total = active_table<double>().sum(taps, kCount);
  for (std::size_t k = 0; k < kCount; ++k) taps[k] /= total;
}

// u[0..n) with `before` and `after` samples of its reflection about its ends, which may be longer than it is.
void reflect(const double* u, std::size_t n, std::size_t before, std::size_t after, double* out) {
  std::copy(u, u + n, out + before);
  const std::size_t period = 2 * (n - 1);
  const auto at = [&](std::size_t t) { return u[std::min(t % period, period - t % period)]; };
  for (std::size_t t = 1; t <= before; ++t) out[before - t] = at(t);
  for (std::size_t t = 0; t < after; ++t) out[before + n + t] = at(n + t);
}

struct VolatilityMemory {
  Buffer<double> padded, blocks, scratch, scaled;
};

}  // namespace

void mixture_log_likelihood(const ScaleMixture* problems, std::size_t count, double* out) {
  for (std::size_t i = 0; i < count; i += kBundle) {
    const std::size_t lanes = std::min(kBundle, count - i);
    const auto& kernel = state_space_kernels(lanes);
    kernels::MixtureState state;
    for (std::size_t k = 0; k < kBundle; ++k) {
      state.mean[k] = first_level(problems[i + (k < lanes ? k : 0)].base);
      state.variance[k] = kPriorVariance;
    }
    const auto mixture = mixture_lanes(problems + i, lanes);
    in_pieces(0, problems[i].base.n, kStopPiece,
              [&](std::size_t begin, std::size_t end) { kernel.mixture(mixture, begin, end, state); });
    double logs[kBundle];
    kernel.logarithms(state.mantissa, kBundle, logs);
    for (std::size_t k = 0; k < lanes; ++k) {
      const LocalLevel& base = problems[i + k].base;
      const double samples = active_table<double>().sum(base.seen, base.n);
      out[i + k] = (logs[k] + state.exponent[k] * kLog2) - state.squares[k] - 0.5 * samples * kLog2Pi;
    }
  }
}

NoiseUpdate update_noise_sites(const NoiseSites& s) {
  constexpr std::size_t kSums = 3 + kNoiseScales;
  double weights[kNoiseScales], lanes[kSums * kBundle] = {}, sums[kSums];
  for (std::size_t k = 0; k < kNoiseScales; ++k) weights[k] = std::max(s.weights[k], kLeastWeight);
  in_pieces(0, s.n, kStopPiece, [&](std::size_t begin, std::size_t end) {
    active_kernels().state_space.noise_sites(s.y + begin, s.seen + begin, s.mean + begin, s.variance + begin, end - begin,
                                             s.least_variance, s.noise_variance, weights, s.r + begin, lanes);
  });
  for (std::size_t k = 0; k < kSums; ++k) sums[k] = folded(lanes + k * kBundle);
  NoiseUpdate update;
  update.noise_variance = sums[1] / sums[0];
  update.doubt = sums[2];
  std::copy(sums + 3, sums + 3 + kNoiseScales, update.responsibilities);
  return update;
}

StepUpdate update_step_sites(const StepSites& s) {
  constexpr std::size_t kSums = 2 + kStepScales;
  double weights[kStepScales], lanes[kSums * kBundle] = {}, sums[kSums];
  for (std::size_t k = 0; k < kStepScales; ++k) weights[k] = std::max(s.weights[k], kLeastWeight);
  // A kernel's first sample is the one before its first step.
  in_pieces(1, s.n, kStopPiece, [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin - 1;
    active_kernels().state_space.step_sites(s.mean + at, s.step_square + at, s.shape + at, s.q + at, end - at,
                                            s.least_variance, s.step_variance, weights, s.scaled_square + at, s.ratio + at,
                                            lanes);
  });
  for (std::size_t k = 0; k < kSums; ++k) sums[k] = folded(lanes + k * kBundle);
  // There is no step to the first sample.
  s.scaled_square[0] = s.scaled_square[1];
  s.ratio[0] = 1;
  StepUpdate update;
  update.step_variance = sums[0] / static_cast<double>(s.n - 1);
  update.doubt = sums[1];
  std::copy(sums + 2, sums + 2 + kStepScales, update.responsibilities);
  return update;
}

void smooth_volatility(const double* u, std::size_t n, double* out) {
  if (n < 2) {
    std::copy(u, u + n, out);
    return;
  }
  check_stop();
  auto& memory = of_this_thread<VolatilityMemory>();
  // As many samples at both ends where that fills blocks: then a series and its reverse have the same ones.
  const std::size_t before = kMargin + (n % kBlock == 2), after = before + (kBlock - (n + 2 * before) % kBlock) % kBlock;
  double* const padded = memory.padded.get(before + n + after);
  reflect(u, n, before, after, padded);
  const std::size_t blocks = (before + n + after) / kBlock, averages = blocks - 2 * kReach;
  double* const block = memory.blocks.get(blocks + averages);
  double* const average = block + blocks;
  for (std::size_t k = 0; k < blocks; ++k) {
    const double* const four = padded + kBlock * k;
    block[k] = ((four[0] + four[3]) + (four[1] + four[2])) / kBlock;
  }
  constexpr std::size_t kCount = 2 * kReach + 1;
  double taps[kCount];
  gaussian_taps(taps);
  double* const scratch = memory.scratch.get((2 * kernels::kFirSegment + kCount) * kBundle);
  active_table<double>().fir_symmetric(block, averages, taps, kCount, average, scratch);
  // Between the centres of blocks on lines; average[k] stands for the block kReach blocks on.
  double* const lines = padded;
  for (std::size_t k = 1; k + 1 < averages; ++k) {
    double* const four = lines + kBlock * (k - 1);
    const double here = average[k], last = average[k - 1], next = average[k + 1];
    four[0] = 0.375 * last + 0.625 * here;
    four[1] = 0.125 * last + 0.875 * here;
    four[2] = 0.875 * here + 0.125 * next;
    four[3] = 0.625 * here + 0.375 * next;
  }
  std::copy_n(lines + (before - kBlock * (kReach + 1)), n, out);
}

void volatility_shape(const double* u, std::size_t n, double step_variance, double* shape) {
  constexpr double kLeast = 0.02;
  double* const scaled = of_this_thread<VolatilityMemory>().scaled.get(n);
  const double unit = 1 / step_variance;
  for (std::size_t t = 1; t < n; ++t) scaled[t] = u[t] * unit;
  scaled[0] = scaled[1];
  smooth_volatility(scaled, n, shape);
  for (std::size_t t = 0; t < n; ++t) shape[t] = std::max(shape[t], kLeast);
  const double share = static_cast<double>(n - 1) / active_table<double>().sum(shape + 1, n - 1);
  for (std::size_t t = 0; t < n; ++t) shape[t] *= share;
}

}  // namespace rpsd
