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
constexpr std::size_t kNeighbours = 5, kNear = 16;  // samples

std::vector<std::size_t> indices_seen(const double* seen, std::size_t n) {
  std::vector<std::size_t> at;
  for (std::size_t t = 0; t < n; ++t)
    if (seen[t] != 0) at.push_back(t);
  return at;
}

// Euclid's algorithm on a >= b that are known to within tolerance; a rest of 1e-4 of the divisor is none.
double common_divisor(double a, double b, double tolerance) {
  for (;;) {
    const double times = std::round(a / b), rest = std::abs(a - b * times);
    if (rest <= std::max(1e-4 * b, tolerance * (1 + times))) return b;
    a = b;
    b = rest;
  }
}

// Of prices with the median of their neighbours, the nearest five of those that are near in time: what is beyond a gap says
// nothing of where a price should be.
std::vector<std::int64_t> medians(const std::vector<std::int64_t>& prices, const std::vector<std::size_t>& at) {
  const std::size_t n = prices.size(), window = std::min(n, kNeighbours);
  std::vector<std::int64_t> out(n), around;
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t begin = std::min(i < window / 2 ? 0 : i - window / 2, n - window), end = begin + window;
    while (at[i] - at[begin] > kNear) ++begin;
    while (at[end - 1] - at[i] > kNear) --end;
    // An even number has no middle: without the one farthest away.
    if (end - begin < window && (end - begin) % 2 == 0) at[i] - at[begin] > at[end - 1] - at[i] ? ++begin : --end;
    const auto first = prices.begin();
    around.assign(first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(end));
    std::sort(around.begin(), around.end());
    out[i] = around[around.size() / 2];
  }
  return out;
}

// By how much each price stands out from both neighbours to one side; 0 at the ends, up to least, and where a neighbour is
// not near in time.
std::vector<std::int64_t> prominences(const std::vector<std::int64_t>& prices, const std::vector<std::size_t>& at,
                                      std::int64_t least) {
  std::vector<std::int64_t> out(prices.size());
  for (std::size_t i = 1; i + 1 < prices.size(); ++i) {
    if (at[i] - at[i - 1] > kNear || at[i + 1] - at[i] > kNear) continue;
    const auto before = prices[i] - prices[i - 1], after = prices[i] - prices[i + 1];
    const auto by = std::min(std::abs(before), std::abs(after));
    out[i] = (before > 0) == (after > 0) && by > least ? by : 0;
  }
  return out;
}

// The middle of each window. Where no price helps it is on the line between those before and after, or at the nearer of them
// where a jump lies between.
std::vector<std::int64_t> centres(const std::vector<std::int64_t>& price, const std::vector<std::size_t>& at, int half) {
  std::vector<std::int64_t> prices;
  for (const std::size_t t : at) prices.push_back(price[t]);
  // A spike, such as a bad tick, shows no middle. Its neighbours stand out from it as well, but less.
  const auto spikes = prominences(prices, at, half);
  std::vector<std::size_t> kept;
  std::vector<std::int64_t> tame;
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (spikes[i] > 0 && spikes[i] >= spikes[i - 1] && spikes[i] >= spikes[i + 1]) continue;
    kept.push_back(at[i]);
    tame.push_back(prices[i]);
  }
  const auto middle = medians(tame, kept);
  std::vector<std::int64_t> centre(price.size());
  for (std::size_t t = 0, i = 0; t < price.size(); ++t) {
    if (i + 1 < kept.size() && t >= kept[i + 1]) ++i;
    centre[t] = middle[i];
    if (t <= kept[i] || i + 1 == kept.size()) continue;
    const auto move = middle[i + 1] - middle[i];
    const double part = static_cast<double>(t - kept[i]) / static_cast<double>(kept[i + 1] - kept[i]);
    centre[t] += std::abs(move) > half ? (part > 0.5 ? move : 0) : std::llround(part * static_cast<double>(move));
  }
  return centre;
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
  std::vector<double> moves;
  for (std::size_t i = 1; i < at.size(); ++i) {
    const double move = std::abs(y[at[i]] - y[at[i - 1]]);
    if (move > tolerance) moves.push_back(move);
  }
  if (moves.size() < kLeastMoves) return 0;
  // An error of the tick is as many times larger in a move as that has ticks: long ones have to wait.
  const auto tells = [&](double ticks, double error, double tick) { return ticks * error < tick / 4; };
  double tick = moves[0];
  for (const double move : moves) {
    if (!tells(move / tick, tolerance, tick)) continue;
    tick = common_divisor(std::max(move, tick), std::min(move, tick), tolerance);
    if (tick < 16 * tolerance) return 0;
  }
  const auto median = moves.begin() + static_cast<std::ptrdiff_t>(moves.size() / 2);
  std::nth_element(moves.begin(), median, moves.end());
  if (tick < *median / 64) return 0;
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
    : price(n, kMissing), level(n) {
  const auto at = indices_seen(seen_at, n);
  const double noise_sd = std::sqrt(std::max(noise_variance, tick * tick / 12));
  per_tick = states_per_tick(noise_sd, std::sqrt(step_variance), tick);
  spacing = tick / per_tick;
  origin = y[at[0]];
  const double spread = std::sqrt(noise_variance + step_variance * fast_step_scale(step_scale, n));
  const int half = static_cast<int>(std::ceil(3 * spread / spacing)) + per_tick;
  width = (2 * half + 8) / 8 * 8;
  noise_reach = static_cast<int>(std::ceil(4 * noise_sd / spacing));

  for (const std::size_t t : at) price[t] = std::llround((y[t] - origin) / tick) * per_tick;
  centre = centres(price, at, half);
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
