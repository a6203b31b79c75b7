// SPDX-License-Identifier: MIT
#include "rpsd/scale_mixture.hpp"

#include <algorithm>

#include "level_lanes.hpp"
#include "rpsd/cpu.hpp"
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

// The half of a symmetric Gaussian's taps from its end to its centre, of sum one.
void gaussian_taps(std::size_t reach, double* taps) {

  const std::size_t count = 2 * reach + 1;
  for (std::size_t k = 0; k < count; ++k) {
    const double distance = (static_cast<double>(k) - static_cast<double>(reach)) / kVolatilityBandwidth;
    taps[k] = -0.5 * distance * distance;
  }
  active_kernels().state_space.exponentials(taps, count, taps);
  const double total = active_table<double>().sum(taps, count);
  for (std::size_t k = 0; k < count; ++k) taps[k] /= total;
}

struct VolatilityMemory {
  Buffer<double> padded, scratch, scaled;
};

}  // namespace

void mixture_log_likelihood(const ScaleMixture* problems, std::size_t count, double* out) {
  const auto& kernel = active_kernels().state_space;
  for (std::size_t i = 0; i < count; i += kBundle) {
    const std::size_t lanes = std::min(kBundle, count - i);
    kernels::MixtureState state;
    for (std::size_t k = 0; k < kBundle; ++k) {
      state.mean[k] = first_level(problems[i + (k < lanes ? k : 0)].base);
      state.variance[k] = kPriorVariance;
    }
    kernel.mixture(mixture_lanes(problems + i, lanes), problems[i].base.n, state);
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
  double weights[kNoiseScales], sums[2 + kNoiseScales];
  for (std::size_t k = 0; k < kNoiseScales; ++k) weights[k] = std::max(s.weights[k], kLeastWeight);
  active_kernels().state_space.noise_sites(s.y, s.seen, s.mean, s.variance, s.n, s.least_variance, s.noise_variance,
                                           weights, s.r, sums);
  NoiseUpdate update;
  update.noise_variance = sums[1] / sums[0];
  std::copy(sums + 2, sums + 2 + kNoiseScales, update.responsibilities);
  return update;
}

StepUpdate update_step_sites(const StepSites& s) {
  double weights[kStepScales], sums[1 + kStepScales];
  for (std::size_t k = 0; k < kStepScales; ++k) weights[k] = std::max(s.weights[k], kLeastWeight);
  active_kernels().state_space.step_sites(s.mean, s.step_square, s.shape, s.q, s.n, s.least_variance, s.step_variance,
                                          weights, s.scaled_square, s.ratio, sums);
  // There is no step to the first sample.
  s.scaled_square[0] = s.scaled_square[1];
  s.ratio[0] = 1;
  StepUpdate update;
  update.step_variance = sums[0] / static_cast<double>(s.n - 1);
  std::copy(sums + 1, sums + 1 + kStepScales, update.responsibilities);
  return update;
}

void smooth_volatility(const double* u, std::size_t n, double* out) {
  constexpr std::size_t kReach = 60;
  const std::size_t reach = n < 2 ? 0 : std::min(kReach, n - 2), count = 2 * reach + 1;
  if (reach == 0) {
    std::copy(u, u + n, out);
    return;
  }
  auto& memory = of_this_thread<VolatilityMemory>();
  double* const padded = memory.padded.get(n + 2 * reach);
  std::copy(u, u + n, padded + reach);
  std::reverse_copy(u + 1, u + 1 + reach, padded);
  std::reverse_copy(u + n - 1 - reach, u + n - 1, padded + reach + n);
  double taps[2 * kReach + 1];
  gaussian_taps(reach, taps);
  double* const scratch = memory.scratch.get((2 * kernels::kFirSegment + count) * kBundle);
  active_table<double>().fir_symmetric(padded, n, taps, count, out, scratch);
}

void volatility_shape(const double* u, std::size_t n, double step_variance, double* shape) {
  constexpr double kLeast = 0.02;
  double* const scaled = of_this_thread<VolatilityMemory>().scaled.get(n);
  for (std::size_t t = 0; t < n; ++t) scaled[t] = u[t == 0 ? 1 : t] / step_variance;
  smooth_volatility(scaled, n, shape);
  for (std::size_t t = 0; t < n; ++t) shape[t] = std::max(shape[t], kLeast);
  const double mean = active_table<double>().sum(shape + 1, n - 1) / static_cast<double>(n - 1);
  for (std::size_t t = 0; t < n; ++t) shape[t] /= mean;
}

}  // namespace rpsd
