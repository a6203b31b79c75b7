// SPDX-License-Identifier: MIT
#include "rpsd/lattice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "lattice_chain.hpp"

namespace rpsd {
namespace {

// Samples that parameters are fitted to: all, or this many parts of this length, evenly spread.
constexpr std::size_t kParts = 8, kPartLength = 2048;
constexpr int kIterations = 8, kNoiseIterations = 5;
// An iteration that gains less than this log-likelihood is the last.
constexpr double kSettled = 0.5;
// Shares of bad ticks and jumps are kept above this, so that one is never impossible.
constexpr double kLeastShare = 1e-5;
// Starting shapes of the noise: two Gaussian bumps at +- this part of its standard deviation, from one bump to a bounce.
constexpr std::array<double, 4> kBumps = {0.0, 0.8, 0.95, 1.0};

struct Range {
  std::size_t begin, end;
};

std::vector<Range> fitted_ranges(std::size_t n) {
  if (n <= kParts * kPartLength) return {{0, n}};
  std::vector<Range> ranges;
  for (std::size_t k = 0; k < kParts; ++k) {
    const std::size_t begin = k * (n - kPartLength) / (kParts - 1);
    ranges.push_back({begin, begin + kPartLength});
  }
  return ranges;
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// The part of the noise that is not rounding: its variance cannot be told from zero below (tick / 5)^2.
double variance_before_rounding(double noise_variance, double tick) {
  return std::max(noise_variance - tick * tick / 12, 0.04 * tick * tick);
}

// Probabilities of the noise before rounding for two bumps of a total variance v, in states.
std::vector<double> two_bumps(double part, double v, const LatticeGrid& grid) {
  const double middle = part * std::sqrt(v);
  const double sd = std::sqrt(std::max(v - middle * middle, 0.0144 * grid.per_tick * grid.per_tick));
  const int reach = grid.noise_reach;
  std::vector<double> p(static_cast<std::size_t>(2 * reach + 1));
  for (int j = 0; j <= reach; ++j) {
    const auto bump = [&](double at) { return normal_cdf((j + 0.5 - at) / sd) - normal_cdf((j - 0.5 - at) / sd); };
    p[static_cast<std::size_t>(reach + j)] = p[static_cast<std::size_t>(reach - j)] = bump(middle) + bump(-middle);
  }
  double sum = 0;
  for (const double q : p) sum += q;
  for (double& q : p) q /= sum;
  return p;
}

// Sums of u[j .. j + per_tick] with half weight at both ends: what rounding does to a distribution over states.
double over_a_tick(const double* u, int per_tick) {
  double sum = 0.5 * (u[0] + u[per_tick]);
  for (int d = 1; d < per_tick; ++d) sum += u[d];
  return sum;
}

// EM for the noise before rounding and the share of bad ticks, given how often each offset of x from y is expected.
void fit_noise(const LatticeGrid& grid, const LatticeCounts& counts, int radius, LatticeParameters& parameters) {
  const int reach = grid.noise_reach, support = reach + grid.per_tick / 2;
  const auto size = static_cast<std::size_t>(2 * support + 1);
  std::vector<double> expected(size), ratio(size), updated(parameters.noise.size());
  double beyond = counts.beyond, all = counts.beyond;
  for (int o = -radius; o <= radius; ++o) {
    const double count = counts.offset[static_cast<std::size_t>(radius + o)];
    all += count;
    if (std::abs(o) > support) {
      beyond += count;
    } else {
      expected[static_cast<std::size_t>(support + o)] += 0.5 * count;
      expected[static_cast<std::size_t>(support - o)] += 0.5 * count;
    }
  }
  if (all <= 0) return;
  for (int iteration = 0; iteration < kNoiseIterations; ++iteration) {
    const auto probability = LatticeChain::offset_probabilities(grid, parameters, support);
    double bad = beyond, sum = 0;
    for (std::size_t o = 0; o < size; ++o) {
      ratio[o] = expected[o] / probability[o];
      bad += ratio[o] * parameters.bad_ticks / grid.bad_tick_range;
    }
    for (std::size_t j = 0; j < updated.size(); ++j) {
      updated[j] = parameters.noise[j] * over_a_tick(&ratio[j], grid.per_tick);
      sum += updated[j];
    }
    for (std::size_t j = 0; j < updated.size(); ++j) parameters.noise[j] = updated[j] / sum;
    parameters.bad_ticks = std::clamp(bad / all, kLeastShare, 0.5);
  }
}

LatticeCounts count(LatticeChain& chain, const std::vector<Range>& ranges) {
  LatticeCounts counts;
  counts.offset.resize(static_cast<std::size_t>(2 * chain.radius() + 1));
  for (const Range& range : ranges) chain.smooth(range.begin, range.end, counts, nullptr, nullptr);
  return counts;
}

// The likeliest of the starting shapes.
LatticeParameters start(const LatticeGrid& grid, LatticeChain& chain, const std::vector<Range>& ranges,
                        double noise_variance, double step_variance) {
  LatticeParameters best, tried{{}, step_variance, 0.002, 0.001};
  double highest = 0;
  for (const double part : kBumps) {
    tried.noise = two_bumps(part, noise_variance, grid);
    chain.set(tried);
    double sum = 0;
    for (const Range& range : ranges) sum += chain.log_likelihood(range.begin, range.end);
    if (best.noise.empty() || sum > highest) {
      best = tried;
      highest = sum;
    }
  }
  return best;
}

// Baum-Welch (Baum, Petrie, Soules & Weiss 1970).
LatticeParameters fit(const LatticeGrid& grid, LatticeChain& chain, const std::vector<Range>& ranges,
                      LatticeParameters parameters, LatticeFit& report) {
  double last = 0, gain = 0;
  for (report.iterations = 0; report.iterations < kIterations; ++report.iterations) {
    chain.set(parameters);
    const LatticeCounts counts = count(chain, ranges);
    gain = counts.log_likelihood - last;
    if (report.iterations > 0 && gain < kSettled) break;
    last = counts.log_likelihood;
    fit_noise(grid, counts, chain.radius(), parameters);
    const double steps = counts.steps + counts.jumps;
    if (steps > 0) parameters.jumps = std::clamp(counts.jumps / steps, kLeastShare, 0.5);
    // The variance of a kernel is what its steps have; below a tenth of a state it only tells a step from none.
    if (counts.steps > 0) parameters.step_variance = std::max(counts.step_squares / counts.steps, 0.01);
  }
  report.converged = gain < 1;
  return parameters;
}

// Of prices on ticks under the local level model whose first state is as uncertain as the lattice's.
double gaussian_log_likelihood(const LatticeGrid& grid, double noise_variance, double step_variance) {
  constexpr double kTwoPi = 6.283185307179586;
  double mean = static_cast<double>(grid.centre[0]), sum = 0;
  double variance = static_cast<double>(grid.states()) * grid.states() / 12;
  for (std::size_t t = 0; t < grid.price.size(); ++t) {
    if (t > 0) variance += step_variance * grid.level_scale[grid.level[t]];
    if (!grid.seen(t)) continue;
    const double error = static_cast<double>(grid.price[t]) - mean, total = variance + noise_variance;
    sum -= 0.5 * (std::log(kTwoPi * total / (grid.per_tick * grid.per_tick)) + error * error / total);
    mean += variance / total * error;
    variance *= noise_variance / total;
  }
  return sum;
}

double mean_square(const std::vector<double>& p) {
  const double middle = static_cast<double>(p.size() / 2);
  double sum = 0;
  for (std::size_t j = 0; j < p.size(); ++j) {
    const double x = static_cast<double>(j) - middle;
    sum += p[j] * x * x;
  }
  return sum;
}

}  // namespace

LatticeFit smooth_lattice(const double* y, const double* seen, std::size_t n, double tick, double noise_variance,
                          double step_variance, double* mean, double* variance, const double* step_scale) {
  const LatticeGrid grid(y, seen, n, tick, noise_variance, step_variance, step_scale);
  const double unit = grid.spacing * grid.spacing;
  const auto ranges = fitted_ranges(n);
  LatticeChain chain(grid, n);
  LatticeFit report{};
  const double v = variance_before_rounding(noise_variance, tick) / unit;
  const auto parameters = fit(grid, chain, ranges, start(grid, chain, ranges, v, step_variance / unit), report);

  chain.set(parameters);
  LatticeCounts counts;
  counts.offset.resize(static_cast<std::size_t>(2 * chain.radius() + 1));
  chain.smooth(0, n, counts, mean, variance);
  for (std::size_t t = 0; t < n; ++t) {
    mean[t] = grid.origin + (mean[t] + static_cast<double>(grid.centre[t])) * grid.spacing;
    variance[t] *= unit;
  }
  report.noise_variance = mean_square(parameters.noise) * unit + tick * tick / 12;
  report.step_variance = parameters.step_variance * unit;
  report.bad_tick_share = parameters.bad_ticks;
  report.jump_share = parameters.jumps;
  report.log_likelihood_gain =
      counts.log_likelihood - gaussian_log_likelihood(grid, noise_variance / unit, step_variance / unit);
  return report;
}

}  // namespace rpsd
