// SPDX-License-Identifier: MIT
#include "rpsd/guardrails.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "denoise_parts.hpp"
#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kEdge = 5;            // samples at either end
constexpr double kFar = 6;                  // medians of what is not zero: larger differences are bad ticks, or jumps
constexpr double kRounding = 0x1p-30;       // of the range of the prices: what is below is as good as zero
constexpr double kJump = 6;                 // standard deviations of a difference of two means
constexpr std::size_t kLeastSide = 5, kMostSide = 15;  // samples in such a mean
constexpr std::size_t kNeighbours = 15;                // samples on either side whose range a price may not leave
constexpr std::size_t kLeastForWhiteness = 64;
// Chi-square of kWhitenessLags degrees of freedom exceeds it once in a thousand times.
constexpr double kChance = 45.31474661812586;

struct Memory {
  Buffer<double> series, rest, sizes, selection;
  Buffer<std::int32_t> innovations;
};

// One series and what belongs to it, in units in which no square leaves the range.
struct Problem {
  double *x, *y, *best, *like;
  std::size_t n;
  double noise_sd, step_sd;  // zero where they are not known
  double ratio;              // of their squares
  bool offline;
};

// Of a few differences: the square of their mean, which is what a wrong end makes, or half of their mean square. A series
// as it came, whose differences are noise, has hardly ever twice the noise's variance of either.
double edge_error(const double* differences, std::size_t n) noexcept {
  double sum = 0, squares = 0;
  for (std::size_t t = 0; t < n; ++t) {
    sum += differences[t];
    squares += differences[t] * differences[t];
  }
  const double mean = sum / static_cast<double>(n);
  return std::max(mean * mean, squares / static_cast<double>(2 * n));
}

double moves(const double* v, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t t = 1; t < n; ++t) sum += std::abs(v[t] - v[t - 1]);
  return sum;
}

// u - v, what is far from zero brought nearer: a handful of bad ticks is not to decide. Returns what is far.
double clip_difference(const double* u, const double* v, std::size_t n, double* out, Memory& memory) {
  double* const sizes = memory.sizes.get(n);
  std::size_t count = 0;
  for (std::size_t t = 0; t < n; ++t) {
    out[t] = u[t] - v[t];
    if (std::abs(out[t]) > kRounding) sizes[count++] = out[t];
  }
  if (count == 0) return 0;
  const double most = kFar * active_table<double>().median_abs(sizes, count, memory.selection.get(count));
  for (std::size_t t = 0; t < n; ++t) out[t] = std::clamp(out[t], -most, most);
  return most;
}

double sum_of_squares(const double* v, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) sum += v[t] * v[t];
  return sum;
}

double decibels(double raw, double left) noexcept {
  if (left == raw) return 0;
  return 10 * std::log10(raw / left);
}

// Steady gain of the filter and the share of the raw error that it leaves: that of the last sample.
double steady_gain(double ratio) noexcept { return ratio > 0 ? (std::sqrt(1 + 4 * ratio) - 1) / (2 * ratio) : 1; }

// The mean squared error of x, of which the estimate leaves the predicted share: what it took away is the rest. Given y,
// the expected squared error is that of the estimate and the squared difference of the two (docs/guardrails.md).
void judge_gain(const Problem& p, const double* seen, const GuardModel& model, GuardMetrics& m, Memory& memory) {
  double* const rest = memory.rest.get(p.n);
  const double far = clip_difference(p.x, p.best, p.n, rest, memory);
  const std::size_t edge = std::min(kEdge, p.n);
  const double of_x[2] = {edge_error(rest, edge), edge_error(rest + p.n - edge, edge)}, all = sum_of_squares(rest, p.n);
  double taken = 0, apart = 0, count = 0, sum_of_best = 0;
  for (std::size_t t = 0; t < p.n; ++t) {
    taken += seen[t] * (rest[t] * rest[t]);
    sum_of_best += rest[t];
    const double difference = p.y[t] - p.best[t];
    rest[t] = far > 0 ? std::clamp(difference, -far, far) : difference;
    apart += seen[t] * (rest[t] * rest[t]);
    count += seen[t];
  }
  taken /= count;
  apart /= count;
  const double share = 1 - std::pow(10, -model.gain_db / 10);
  constexpr double least = 1e-3;
  const bool told = share > least;
  const double raw = told ? taken / share : p.noise_sd * p.noise_sd;
  const double left = told ? raw - taken : raw;
  m.gain_db = decibels(raw, left + apart);
  const double end = model.walk ? steady_gain(p.ratio) * raw : std::min(raw, 2 * left);
  // At an end a bad tick of x that y keeps does not decide; one that y has by itself does.
  for (std::size_t i = 0; i < edge; ++i)
    for (const std::size_t t : {i, p.n - 1 - i})
      if (std::abs(p.x[t] - p.best[t]) <= far) rest[t] = p.y[t] - p.best[t];
  const double of_y[2] = {edge_error(rest, edge), edge_error(rest + p.n - edge, edge)};
  clip_difference(p.x, p.y, p.n, rest, memory);
  // What an output that takes so much away leaves of the noise at an end. Causal ones begin with what came.
  const double part = all > 0 ? std::min(1.0, std::sqrt(sum_of_squares(rest, p.n) / all)) : 0;
  const auto at_end = [&](std::size_t i) { return decibels(end + (1 - part) * (1 - part) * of_x[i], end + of_y[i]); };
  m.edge_db = p.offline ? std::min(at_end(0), at_end(1)) : at_end(1);
  double sum = 0;
  for (std::size_t t = 0; t < p.n; ++t) sum += rest[t];
  const double off = std::max(0.0, std::abs(sum) - std::abs(sum_of_best)) / static_cast<double>(p.n);
  m.bias = off == 0 ? 0 : off / std::sqrt(raw);
}

// Absolute moves in place of squared ones: jumps count once, however sharp they are (Barndorff-Nielsen & Shephard 2004).
void judge_moves(const Problem& p, double far, GuardMetrics& m, Memory& memory) {
  const std::size_t n = p.n;
  // A causal estimate may have let bad ticks through.
  if (far > 0 && !p.offline)
    for (std::size_t t = 0; t < n; ++t) p.like[t] = p.best[t] + std::clamp(p.like[t] - p.best[t], -far, far);
  const double of_x = moves(p.x, n), of_y = moves(p.y, n), of_best = moves(p.best, n);
  const double root = of_y / of_best;
  m.variance = of_best > 0 ? root * root : kNaN;
  double* const rest = memory.rest.get(n);
  clip_difference(p.x, p.like, n, rest, memory);
  const double allowed = sum_of_squares(rest, n);
  clip_difference(p.x, p.y, n, rest, memory);
  const double taken = sum_of_squares(rest, n);
  const double part = allowed > 0 ? std::min(1.0, std::sqrt(taken / allowed)) : 0;
  double of_blend = 0;
  for (std::size_t t = 1; t < n; ++t) {
    const double from = p.x[t - 1] + part * (p.like[t - 1] - p.x[t - 1]), to = p.x[t] + part * (p.like[t] - p.x[t]);
    of_blend += std::abs(to - from);
  }
  const double bound = std::min(of_x, 2 * of_blend);
  m.roughness = bound > 0 || of_y > 0 ? of_y / bound : kNaN;
  std::size_t moved = 0, repeated = 0;
  for (std::size_t t = 1; t < n; ++t) {
    if (p.x[t] == p.x[t - 1]) continue;
    ++moved;
    repeated += p.y[t] == p.y[t - 1];
  }
  m.stuck = moved > 0 ? static_cast<double>(repeated) / static_cast<double>(moved) : kNaN;
}

// Samples by which v comes late: it then differs from the prices by its speed. Smoothers that are symmetric have no lag.
double lag_of(const double* v, const double* cleaned, std::size_t n) noexcept {
  double covariance = 0, squares = 0;
  for (std::size_t t = 1; t + 1 < n; ++t) {
    const double speed = (v[t + 1] - v[t - 1]) / 2;
    covariance += (cleaned[t] - v[t]) * speed;
    squares += speed * speed;
  }
  return squares > 0 ? covariance / squares : kNaN;
}

// late: what the lookahead costs the steady filter. In a short series the best estimate may be further from it.
void judge_lag(const Problem& p, const double* cleaned, double late, GuardMetrics& m) noexcept {
  const double of_like = std::abs(lag_of(p.like, cleaned, p.n) - late), of_y = std::abs(lag_of(p.y, cleaned, p.n) - late);
  m.lag = std::max(0.0, of_y - (of_like > 0 ? of_like : 0)) / (1 + 2 * late);
  if (std::isnan(of_y)) m.lag = kNaN;
}

// Greatest of each sample and kNeighbours on either side, by the greatest from either end of blocks (van Herk 1992).
void spread_greatest(const double* v, std::size_t n, double* out, double* forward, double* backward) noexcept {
  constexpr std::size_t block = 2 * kNeighbours + 1;
  for (std::size_t t = 0; t < n; ++t) forward[t] = t % block == 0 ? v[t] : std::max(forward[t - 1], v[t]);
  for (std::size_t t = n; t-- > 0;)
    backward[t] = t + 1 == n || (t + 1) % block == 0 ? v[t] : std::max(backward[t + 1], v[t]);
  for (std::size_t t = 0; t < n; ++t)
    out[t] = std::max(backward[t < kNeighbours ? 0 : t - kNeighbours], forward[std::min(t + kNeighbours, n - 1)]);
}

// By how much y leaves the range of x nearby, in usual moves of x: no smoother of x has a reason to. Of samples that both
// have: what fills a gap has no range.
void judge_overshoot(const Problem& p, const double* seen, GuardMetrics& m, Memory& memory) {
  double* const sizes = memory.sizes.get(p.n);
  double* const x = memory.rest.get(5 * p.n);
  double *const y = x + p.n, *const range = y + p.n, *const forward = range + p.n, *const backward = forward + p.n;
  std::size_t n = 0, count = 0;
  for (std::size_t t = 0; t < p.n; ++t) {
    if (seen[t] == 0) continue;
    x[n] = p.x[t];
    y[n] = p.y[t];
    if (n > 0 && x[n] != x[n - 1]) sizes[count++] = x[n] - x[n - 1];
    ++n;
  }
  const double usual = count > 0 ? active_table<double>().median_abs(sizes, count, memory.selection.get(count)) : 0;
  double most = 0;
  for (int side = 0; side < 2; ++side) {
    check_stop();
    spread_greatest(x, n, range, forward, backward);
    for (std::size_t t = 0; t < n; ++t) {
      most = std::max(most, y[t] - range[t]);
      x[t] = -x[t];
      y[t] = -y[t];
    }
  }
  m.overshoot = most > kRounding ? most / usual : 0;
}

void judge_scale(const Problem& p, GuardMetrics& m) noexcept {
  double mean = 0;
  for (std::size_t t = 0; t < p.n; ++t) mean += p.best[t];
  mean /= static_cast<double>(p.n);
  double of_x = 0, of_y = 0, squares = 0;
  for (std::size_t t = 0; t < p.n; ++t) {
    const double c = p.best[t] - mean;
    of_x += (p.best[t] - p.x[t]) * c;
    of_y += (p.best[t] - p.y[t]) * c;
    squares += c * c;
  }
  m.scale = squares > 0 ? std::max(0.0, (std::abs(of_y) - std::abs(of_x)) / squares) : kNaN;
}

// Jumps: where the means of the samples on either side differ by more than walk and noise explain; the largest within
// twice a side. cleaned: x without bad ticks.
void judge_jumps(const Problem& p, const double* cleaned, GuardMetrics& m, Memory& memory) {
  m.jumps = kNaN;
  const double width = -1 / std::log1p(-std::min(steady_gain(p.ratio), 1 - 1e-9));
  const auto side = std::clamp(2 * static_cast<std::size_t>(std::ceil(std::min(width, 100.0))) + 1, kLeastSide, kMostSide);
  if (p.n < 4 * side) return;
  const auto w = static_cast<double>(side);
  const double sd = std::sqrt(p.step_sd * p.step_sd * 2 * w / 3 + p.noise_sd * p.noise_sd * 2 / w);
  double* const sums = memory.rest.get(3 * (p.n + 1));
  double *const of_x = sums + p.n + 1, *const of_y = of_x + p.n + 1;
  sums[0] = of_x[0] = of_y[0] = 0;
  for (std::size_t t = 0; t < p.n; ++t) {
    sums[t + 1] = sums[t] + cleaned[t];
    of_x[t + 1] = of_x[t] + p.x[t];
    of_y[t + 1] = of_y[t] + p.y[t];
  }
  const auto jump = [&](const double* s, std::size_t t) { return ((s[t + side] - s[t]) - (s[t] - s[t - side])) / w; };
  double squares = 0, products = 0, largest = 0;
  std::size_t at = 0;
  const auto take = [&] {
    const double size = jump(of_x, at);
    squares += size * size;
    products += size * jump(of_y, at);
    largest = 0;
  };
  for (std::size_t t = side; t + side <= p.n; ++t) {
    if (largest != 0 && t > at + 2 * side) take();
    const double size = jump(sums, t);
    if (std::abs(size) <= kJump * sd || std::abs(size) <= std::abs(largest)) continue;
    largest = size;
    at = t;
  }
  if (largest != 0) take();
  if (squares > 0) m.jumps = products / squares;
}

// Innovations of the local level model. Their signs know no volatility and no heavy tails; a portmanteau of them is
// chi-square where the model is right (Ljung & Box 1978 with signs).
void judge_whiteness(const Problem& p, const double* cleaned, const double* seen, GuardMetrics& m, Memory& memory) {
  m.whiteness = kNaN;
  if (p.n < kLeastForWhiteness || !(p.step_sd > 0)) return;
  std::int32_t* const signs = memory.innovations.get(p.n + kWhitenessLags);
  std::fill(signs, signs + p.n + kWhitenessLags, 0);
  double level = cleaned[0], variance = p.ratio;
  std::int64_t count = 0, still = 0;
  for (std::size_t t = 1; t < p.n; ++t) {
    variance += 1;
    if (seen[t] == 0) continue;
    still += p.x[t] == p.x[t - 1];
    const double error = cleaned[t] - level, gain = variance / (variance + p.ratio);
    signs[t] = error > 0 ? 1 : (error < 0 ? -1 : 0);
    count += signs[t] != 0;
    level += gain * error;
    variance = gain * p.ratio;
  }
  // While a price on a coarse lattice stays, the level comes to it from one side.
  if (10 * still > count) return;
  double statistic = 0;
  for (std::size_t k = 1; k <= kWhitenessLags; ++k) {
    std::int64_t sum = 0, pairs = 0;
    for (std::size_t t = 0; t < p.n; ++t) {
      const std::int32_t product = signs[t] * signs[t + k];
      sum += product;
      pairs += product & 1;
    }
    const auto agreement = static_cast<double>(sum);
    if (pairs > 0) statistic += agreement * agreement / static_cast<double>(pairs);
  }
  if (count > 0) m.whiteness = std::sqrt(std::max(0.0, statistic - kChance) / (static_cast<double>(kWhitenessLags) * static_cast<double>(count)));
}

double known(double v) noexcept { return v > 0 ? v : 0; }

// v -> to, missing samples interpolated. False where there is none.
bool fill(const double* v, std::size_t n, double* to) noexcept {
  std::copy(v, v + n, to);
  const Gaps gaps = find_gaps(to, n);
  if (gaps.missing == n) return false;
  if (gaps.missing > 0) interpolate_missing(to, n);
  return true;
}

GuardMetrics judge_one(const double* x, const double* y, const double* best, const double* like, std::size_t n,
                       const GuardModel& model) {
  GuardMetrics m{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
  auto& memory = of_this_thread<Memory>();
  double* const block = memory.series.get(6 * n);
  double *const cleaned = block + 4 * n, *const seen = block + 5 * n;
  Problem p{block, block + n, block + 2 * n, block + 3 * n, n, 0, 0, 0, like == best};
  if (n == 0 || !fill(x, n, p.x) || !fill(y, n, p.y) || !fill(best, n, p.best) || !fill(like, n, p.like)) return m;
  const double centre = p.x[0];
  double peak = 0;
  for (std::size_t t = 0; t < n; ++t) {
    peak = std::max(peak, std::abs(p.x[t] - centre));
    seen[t] = std::isnan(x[t]) || std::isnan(y[t]) ? 0 : 1;
  }
  if (std::none_of(seen, seen + n, [](double v) { return v > 0; })) return m;
  constexpr int most = 1000;
  const int exponent = peak > 0 && std::isfinite(peak) ? std::clamp(std::ilogb(peak), -most, most) : 0;
  const double unit = std::ldexp(1.0, -exponent);
  for (double* const v : {p.x, p.y, p.best, p.like})
    for (std::size_t t = 0; t < n; ++t) v[t] = (v[t] - centre) * unit;
  p.noise_sd = known(model.noise_sd) * unit;
  p.step_sd = known(model.step_sd) * unit;
  const double root = p.step_sd > 0 ? p.noise_sd / p.step_sd : 0;
  p.ratio = root * root;

  check_stop();
  judge_gain(p, seen, model, m, memory);
  if (n < 3) return m;
  const double far = clip_difference(p.x, p.best, n, cleaned, memory);
  for (std::size_t t = 0; t < n; ++t) cleaned[t] += p.best[t];
  check_stop();
  judge_moves(p, far, m, memory);
  judge_lag(p, cleaned, known(model.late), m);
  judge_scale(p, m);
  check_stop();
  judge_overshoot(p, seen, m, memory);
  check_stop();
  judge_jumps(p, cleaned, m, memory);
  check_stop();
  if (model.walk) judge_whiteness(p, cleaned, seen, m, memory);
  return m;
}

}  // namespace

void judge(Batch<const double> x, Batch<const double> y, Batch<const double> best, Batch<const double> like,
           const GuardModel* models, GuardMetrics* metrics, int threads) {
  active_kernels();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      metrics[r] = judge_one(x.row(r), y.row(r), best.row(r), like.row(r), x.length, models[r]);
  });
}

}  // namespace rpsd
