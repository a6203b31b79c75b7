// SPDX-License-Identifier: MIT
#include "price_work.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"

namespace rpsd {
namespace {

constexpr double kMostZeroMoves = 0.8;  // a series that hardly moves is told its bounce, and returned
constexpr std::size_t kLeastMoves = 8;   // of a series that hardly moves: fewer are jumps
constexpr double kFarthest = 300;  // in scales: farther away the mixture of noise scales has nothing to tell a bad tick by
constexpr std::size_t kArrays = 8;

// A bad tick says no more for being farther away, whatever its digits.
void hold_spikes(Work& work) noexcept {
  for (std::size_t t = 1; t + 1 < work.n; ++t) {
    if (work.spike[t] == 0) continue;
    const double level = (work.y[t - 1] + work.y[t + 1]) / 2;
    work.y[t] = std::clamp(work.y[t], level - kFarthest, level + kFarthest);
  }
}

}  // namespace

bool prepare(const double* x, std::size_t n, std::size_t least, double precision, SeriesScratch& scratch, Work& work) {
  std::size_t end = n;
  while (work.begin < n && !std::isfinite(x[work.begin])) ++work.begin;
  while (end > work.begin && !std::isfinite(x[end - 1])) --end;
  work.n = end - work.begin;
  if (work.n < 2) return false;
  double* at = scratch.arrays.get(kArrays * work.n);
  for (double** array : {&work.y, &work.available, &work.spike, &work.mean, &work.variance, &work.step_square,
                         &work.q, &work.r}) {
    *array = at;
    at += work.n;
  }
  work.x = x + work.begin;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (std::size_t t = 0; t < work.n; ++t) {
    const double v = work.x[t];
    const bool seen = std::isfinite(v);
    work.y[t] = seen ? v : std::numeric_limits<double>::quiet_NaN();
    work.available[t] = seen ? 1 : 0;
    if (!seen) continue;
    ++work.seen;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (work.seen < least || !(high > low)) return false;
  interpolate_missing(work.y, work.n);

  work.precision = std::max(std::abs(low), std::abs(high)) * precision;
  work.centre = low / 2 + high / 2;
  double* const moves = work.mean;
  std::size_t zeros = 0;
  for (std::size_t t = 0; t < work.n; ++t) work.y[t] -= work.centre;
  const std::size_t m = moves_seen(work.y, work.seen < work.n ? work.available : nullptr, work.n, moves);
  for (std::size_t t = 0; t < m; ++t) zeros += moves[t] == 0;
  const double typical = active_table<double>().median_abs(moves, m, scratch.selection.get(m));
  work.repeats = !(typical > 0);
  const double most = typical > 0 ? 25 * typical * typical : std::numeric_limits<double>::infinity();
  double sum = 0;
  for (std::size_t t = 0; t < m; ++t) sum += std::min(moves[t] * moves[t], most);
  work.scale = std::sqrt(sum / static_cast<double>(m));
  work.still = static_cast<double>(zeros) > kMostZeroMoves * static_cast<double>(m);
  if (!(work.scale > 0) || (work.still && m - zeros < kLeastMoves)) return false;
  for (std::size_t t = 0; t < work.n; ++t) work.y[t] /= work.scale;
  work.precision /= work.scale;
  return true;
}

void leave_ends(std::size_t least, Work& work) noexcept {
  constexpr double kApart = 4;  // scales, from the median of the next three
  // step: towards the inside. The sample next to the end must be near those beyond it: two that agree are a move.
  const auto stands_apart = [](const double* end, std::ptrdiff_t step) {
    const auto away = [&](const double* y) {
      const double a = y[step], b = y[2 * step], c = y[3 * step];
      return std::abs(*y - std::max(std::min(a, b), std::min(std::max(a, b), c)));
    };
    return away(end) > kApart && away(end + step) < kApart / 2;
  };
  const std::size_t needed = std::max<std::size_t>(least, 5);
  if (work.seen > needed && stands_apart(work.y, 1)) {
    do ++work.head;
    while (work.available[work.head] == 0);
    for (double** array : {&work.y, &work.available, &work.spike, &work.mean, &work.variance, &work.step_square, &work.q, &work.r})
      *array += work.head;
    work.begin += work.head;
    work.x += work.head;
    work.n -= work.head;
    --work.seen;
  }
  if (work.seen > needed && stands_apart(work.y + work.n - 1, -1)) {
    do ++work.tail;
    while (work.available[work.n - 1 - work.tail] == 0);
    work.n -= work.tail;
    --work.seen;
  }
}

void find_spikes(const double* x, std::size_t n, Work& work, bool clean, SeriesScratch& scratch) {
  // The mixture of noise scales takes a run for two jumps, and is of no use for what else is bad: such a series is cleaned.
  const double* const seen = work.seen < work.n ? work.available : nullptr;
  clean = clean || has_bad_run(work.y, seen, work.n, work.mean, work.variance, scratch.selection);
  (clean ? mark_bad_ticks : mark_spikes)(work.y, seen, work.n, work.spike, work.mean, scratch.selection);
  for (std::size_t t = 0; t < work.n; ++t) {
    work.spike[t] *= work.available[t];
    if (!clean || work.spike[t] == 0) continue;
    work.y[t] = std::numeric_limits<double>::quiet_NaN();
    work.available[t] = 0;
    ++work.cleaned;
  }
  if (!clean) hold_spikes(work);
  if (work.cleaned > 0) interpolate_missing(work.y, work.n);
  for (std::size_t t = 0; t < n; ++t) {
    if (!std::isinf(x[t])) continue;
    if (t >= work.begin && t < work.begin + work.n) work.spike[t - work.begin] = 1;
    ++work.cleaned;
  }
}

}  // namespace rpsd
