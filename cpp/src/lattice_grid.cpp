// SPDX-License-Identifier: MIT
// What a lattice of prices looks like: its tick, and the grid of states that is laid over it.
#include <algorithm>
#include <array>
#include <cmath>

#include "lattice_chain.hpp"
#include "rpsd/lattice.hpp"

namespace rpsd {
namespace {

// Moves that it takes to believe in a tick.
constexpr std::size_t kLeastMoves = 20;
// Neighbouring prices whose median is the middle of the window: two bad ticks in a row do not move it.
constexpr std::size_t kNeighbours = 5;

std::vector<std::size_t> indices_seen(const double* seen, std::size_t n) {
  std::vector<std::size_t> at;
  for (std::size_t t = 0; t < n; ++t)
    if (seen[t] != 0) at.push_back(t);
  return at;
}

// Euclid's algorithm on numbers that are known to within tolerance, or 1e-4 of the smaller.
double common_divisor(double a, double b, double tolerance) {
  while (b > std::max(1e-4 * a, tolerance * (1 + a / std::max(b, tolerance)))) {
    const double rest = std::abs(a - b * std::round(a / b));
    a = b;
    b = rest;
  }
  return a;
}

// Of prices with the median of their neighbours, the nearest five.
std::vector<std::int64_t> medians(const std::vector<std::int64_t>& prices) {
  const std::size_t n = prices.size(), window = std::min(n, kNeighbours);
  std::vector<std::int64_t> out(n), around;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t begin = std::min(i < window / 2 ? 0 : i - window / 2, n - window);
    const auto first = prices.begin() + static_cast<std::ptrdiff_t>(begin);
    around.assign(first, first + static_cast<std::ptrdiff_t>(window));
    std::sort(around.begin(), around.end());
    out[i] = around[window / 2];
  }
  return out;
}

// The grid keeps up with the fastest steps but one in a hundred.
double fast_step_scale(const double* step_scale, std::size_t n) {
  if (step_scale == nullptr) return 1;
  std::vector<double> sorted(step_scale, step_scale + n);
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>((n - 1) * 99 / 100);
  std::nth_element(sorted.begin(), at, sorted.end());
  return std::clamp(*at, 1.0, 16.0);
}

// States a tick: at least 1.5 a standard deviation of a step, and a power of two so that ticks have a middle.
int states_per_tick(double noise_sd, double step_sd, double tick) {
  if (noise_sd > 2 * tick && step_sd > 2 * tick) return 2;
  int states = 4;
  while (states < 16 && states * step_sd < 1.5 * tick) states *= 2;
  return states;
}

}  // namespace

double tick_size(const double* y, const double* seen, std::size_t n, double precision) {
  const auto at = indices_seen(seen, n);
  const double tolerance = 4 * precision;
  double sum = 0;
  std::size_t moves = 0;
  for (std::size_t i = 1; i < at.size(); ++i) {
    const double move = std::abs(y[at[i]] - y[at[i - 1]]);
    sum += move;
    moves += move > tolerance;
  }
  if (moves < kLeastMoves) return 0;
  const double least = std::max(sum / static_cast<double>(moves) / 64, 16 * tolerance);

  // An error of the tick is as many times larger in a move as that has ticks: long ones have to wait.
  const auto tells = [&](double ticks, double error, double tick) { return ticks * error < tick / 4; };
  double tick = 0;
  for (std::size_t i = 1; i < at.size(); ++i) {
    const double move = std::abs(y[at[i]] - y[at[i - 1]]);
    if (move <= tolerance || (tick > 0 && !tells(move / tick, tolerance, tick))) continue;
    tick = tick == 0 ? move : common_divisor(std::max(move, tick), std::min(move, tick), tolerance);
    if (tick < least) return 0;
  }
  // The farther a price is from the first, the better it tells the tick.
  double farthest = 1;
  for (const std::size_t t : at) {
    const double far = std::abs(y[t] - y[at[0]]), ticks = std::round(far / tick);
    if (ticks <= farthest || !tells(ticks, tolerance / farthest, tick)) continue;
    farthest = ticks;
    tick = far / ticks;
  }
  for (const std::size_t t : at) {
    const double far = y[t] - y[at[0]];
    if (std::abs(far - tick * std::round(far / tick)) > 1e-4 * tick + tolerance) return 0;
  }
  return tick;
}

LatticeGrid::LatticeGrid(const double* y, const double* seen_at, std::size_t n, double tick, double noise_variance,
                         double step_variance, const double* step_scale)
    : price(n, kMissing), centre(n), level(n) {
  const auto at = indices_seen(seen_at, n);
  const double noise_sd = std::sqrt(std::max(noise_variance, tick * tick / 12));
  per_tick = states_per_tick(noise_sd, std::sqrt(step_variance), tick);
  spacing = tick / per_tick;
  origin = y[at[0]];
  const double spread = std::sqrt(noise_variance + step_variance * fast_step_scale(step_scale, n));
  const int half = static_cast<int>(std::ceil(3.5 * spread / spacing)) + per_tick;
  width = (2 * half + 8) / 8 * 8;
  noise_reach = static_cast<int>(std::ceil(4 * noise_sd / spacing));

  std::vector<std::int64_t> prices;
  for (const std::size_t t : at) {
    price[t] = std::llround((y[t] - origin) / tick) * per_tick;
    prices.push_back(price[t]);
  }
  const auto middle = medians(prices);
  // Between prices that were seen the window moves along the line between their middles.
  for (std::size_t t = 0, i = 0; t < n; ++t) {
    if (i + 1 < at.size() && t >= at[i + 1]) ++i;
    centre[t] = middle[i];
    if (t <= at[i] || i + 1 == at.size()) continue;
    const double part = static_cast<double>(t - at[i]) / static_cast<double>(at[i + 1] - at[i]);
    centre[t] += std::llround(part * static_cast<double>(middle[i + 1] - middle[i]));
  }
  std::int64_t farthest = 0, longest = 0;
  for (const std::size_t t : at) farthest = std::max(farthest, std::abs(price[t] - centre[t]));
  for (std::size_t t = 1; t < n; ++t) longest = std::max(longest, std::abs(centre[t] - centre[t - 1]));
  bad_tick_range = 2 * (static_cast<double>(farthest) / per_tick + 1);
  jump_range = 2 * static_cast<double>(longest + half);

  // Variances at quarters of a power of two, from 1/64 to 64.
  std::array<int, 49> number{};
  std::vector<int> quarter(n, 24);
  for (std::size_t t = 0; step_scale != nullptr && t < n; ++t)
    quarter[t] = static_cast<int>(std::lround(24 + 4 * std::log2(std::clamp(step_scale[t], 1.0 / 64, 64.0))));
  for (const int q : quarter) number[static_cast<std::size_t>(q)] = 1;
  for (std::size_t q = 0; q < number.size(); ++q) {
    if (number[q] == 0) continue;
    number[q] = static_cast<int>(level_scale.size());
    level_scale.push_back(std::exp2((static_cast<double>(q) - 24) / 4));
  }
  for (std::size_t t = 0; t < n; ++t) level[t] = static_cast<std::uint8_t>(number[static_cast<std::size_t>(quarter[t])]);
}

}  // namespace rpsd
