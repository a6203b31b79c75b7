// SPDX-License-Identifier: MIT
#include "rpsd/cleaning.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {

template <class T>
Gaps find_gaps(const T* x, std::size_t n) noexcept {
  Gaps gaps{0, n, n};
  if (active_table<T>().all_finite(x, n)) return gaps;
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) {
      if (gaps.missing == 0) gaps.first_missing = i;
      ++gaps.missing;
    } else if (std::isinf(x[i]) && gaps.first_infinite == n) {
      gaps.first_infinite = i;
    }
  }
  return gaps;
}

template <class T>
void interpolate_missing(T* x, std::size_t n) noexcept {
  std::size_t left = n;  // the last sample seen that is not NaN; n: none yet
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isnan(x[i])) {
      left = i;
      continue;
    }
    std::size_t right = i;
    while (right < n && std::isnan(x[right])) ++right;
    if (left == n || right == n) {
      std::fill(x + i, x + right, left == n ? x[right] : x[left]);
    } else {
      const double y0 = static_cast<double>(x[left]), y1 = static_cast<double>(x[right]);
      const double span = static_cast<double>(right - left), rise = y1 - y0;
      for (std::size_t k = i; k < right; ++k) {
        const double w = static_cast<double>(k - left) / span;
        // The first form is exact between equal neighbours; the second does not overflow.
        x[k] = static_cast<T>(std::isfinite(rise) ? y0 + rise * w : y0 * (1 - w) + y1 * w);
      }
    }
    i = right - 1;
  }
}

std::size_t moves_seen(const double* y, const double* seen, std::size_t n, double* out) noexcept {
  constexpr std::size_t kFew = 2;  // moves are few where fewer than one in so many samples has a next one
  if (seen != nullptr) {
    std::size_t count = 0, samples = seen[n - 1] != 0;
    for (std::size_t t = 0; t + 1 < n; ++t) {
      samples += seen[t] != 0;
      if (seen[t] != 0 && seen[t + 1] != 0) out[count++] = y[t + 1] - y[t];
    }
    if (count * kFew >= samples) return count;
  }
  for (std::size_t t = 0; t + 1 < n; ++t) out[t] = y[t + 1] - y[t];
  return n - 1;
}

namespace {

constexpr double kQuartile = 1.4826;  // of a normal distribution, inverted
// Next to one half, and four: prices on ticks, and lines between them, are often exactly so many times another, and
// rounding would tell whether a price is a bad tick.
constexpr double kHalf = 0.49998, kFourTimes = 4.0002;

// Robust standard deviation about zero. On coarse ticks most values may be zero: then of those that are not, as a usual
// move must not look large; but a series that hardly moves at all has no usual move. spare holds n.
double robust_sd(const double* values, std::size_t n, double* spare, Buffer<double>& selection) {
  constexpr double kLeastMoving = 0.05;
  check_stop();
  const auto& kernel = active_table<double>();
  double typical = kernel.median_abs(values, n, selection.get(n));
  if (typical == 0) {
    const std::size_t moving = static_cast<std::size_t>(std::remove_copy(values, values + n, spare, 0.0) - spare);
    if (static_cast<double>(moving) >= kLeastMoving * static_cast<double>(n))
      typical = kernel.median_abs(spare, moving, selection.get(moving));
  }
  return kQuartile * typical;
}

constexpr std::size_t kLongest = 3;  // run of bad ticks

double median_of_few(double* values, std::size_t n) noexcept {
  std::sort(values, values + n);
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Do y[t..t + length) stand apart from what is on either side of them, whatever they are to each other? The few samples
// on one side and on the other must be close together beside how far away each of them is.
bool stands_apart(const double* y, std::size_t n, std::size_t t, std::size_t length, double move) noexcept {
  constexpr std::size_t kBeside = 5;
  constexpr double kLocal = 10, kAlike = kHalf;
  std::array<double, 2 * kBeside> beside;
  const std::size_t before = std::min(t, kBeside), after = std::min(n - t - length, kBeside);
  const auto copy = [&] {
    std::copy(y + t - before, y + t, beside.begin());
    std::copy(y + t + length, y + t + length + after, beside.begin() + static_cast<std::ptrdiff_t>(before));
  };
  copy();
  const double left = median_of_few(beside.data(), before), right = median_of_few(beside.data() + before, after);
  double apart = std::numeric_limits<double>::infinity();
  for (std::size_t i = t; i < t + length; ++i)
    apart = std::min({apart, std::abs(y[i] - left), std::abs(y[i] - right)});
  const double near = kAlike * apart;
  if (!(apart > move) || !(std::abs(left - right) < near)) return false;
  if (!(std::abs(y[t - 1] - left) < near) || !(std::abs(y[t + length] - right) < near)) return false;
  copy();
  for (std::size_t i = 0; i < before + after; ++i) beside[i] = std::abs(beside[i] - (i < before ? left : right));
  return apart > kLocal * kQuartile * median_of_few(beside.data(), before + after);
}

}  // namespace

void mark_spikes(const double* y, const double* seen, std::size_t n, double* spike, double* scratch,
                 Buffer<double>& selection) {
  constexpr double kAway = 6, kMove = 4.8, kAlike = kHalf, kRounding = 1e-6;
  const std::size_t moves = moves_seen(y, seen, n, scratch);
  const double move = kMove * robust_sd(scratch, moves, spike, selection);
  // Reflection at the ends, the end itself not repeated.
  const auto at = [&](std::ptrdiff_t i) {
    const auto last = static_cast<std::ptrdiff_t>(n) - 1;
    if (i < 0) i = -i;
    if (i > last) i = 2 * last - i;
    return y[std::clamp<std::ptrdiff_t>(i, 0, last)];
  };
  for (std::size_t t = 0; t < n; ++t) {
    const auto i = static_cast<std::ptrdiff_t>(t);
    double a = at(i - 2), b = at(i - 1), c = at(i + 1), d = at(i + 2);
    if (a > b) std::swap(a, b);
    if (c > d) std::swap(c, d);
    // The two in the middle are the larger of the smaller ones and the smaller of the larger ones.
    const double distance = y[t] - (std::max(a, c) + std::min(b, d)) / 2;
    scratch[t] = std::abs(distance) > kRounding * move ? distance : 0;  // as in the middle of a line
  }
  double away = kAway * robust_sd(scratch, n, spike, selection);
  if (moves + 1 < n) {  // lines are as near to their neighbours as can be
    std::vector<double> distances;
    for (std::size_t t = 0; t < n; ++t)
      if (seen[t] != 0) distances.push_back(scratch[t]);
    away = kAway * robust_sd(distances.data(), distances.size(), spike, selection);
  }
  spike[0] = spike[n - 1] = 0;
  for (std::size_t t = 1; t + 1 < n; ++t) {
    const double there = y[t] - y[t - 1], back = y[t] - y[t + 1];
    const double smaller = std::min(std::abs(there), std::abs(back));
    const bool reverts = there * back > 0 && smaller > move && std::abs(there - back) < kAlike * smaller;
    spike[t] = reverts && std::abs(scratch[t]) > away ? 1 : 0;
  }
}

bool has_bad_run(const double* y, const double* seen, std::size_t n, double* moves, double* scratch,
                 Buffer<double>& selection) {
  constexpr double kCertain = 50;
  const double move = kCertain * robust_sd(moves, moves_seen(y, seen, n, moves), scratch, selection);
  if (move == 0) return false;
  for (std::size_t t = 1; t + 2 < n; ++t) {
    if (!(std::abs(y[t] - y[t - 1]) > move / 2)) continue;
    for (std::size_t length = 2; length <= kLongest && t + length < n; ++length)
      if (stands_apart(y, n, t, length, move)) return true;
  }
  return false;
}

void mark_bad_ticks(const double* y, const double* seen, std::size_t n, double* bad, double* scratch,
                    Buffer<double>& selection) {
  constexpr double kMove = 12;
  const double move = kMove * robust_sd(scratch, moves_seen(y, seen, n, scratch), bad, selection);
  mark_spikes(y, seen, n, bad, scratch, selection);
  if (move == 0) return;  // it hardly moves: nothing tells a few bad ticks in a row from moves
  for (std::size_t t = 1; t + 1 < n; ++t) {
    if (!(std::abs(y[t] - y[t - 1]) > move / 2)) continue;  // no run begins here, as what is before it is near its level
    for (std::size_t length = 1; length <= kLongest && t + length < n; ++length)
      if (stands_apart(y, n, t, length, move)) std::fill(bad + t, bad + t + length, 1.0);
  }
}

void keep_apart(const double* y, const double* seen, std::size_t n, double* bad, double* scratch) noexcept {
  constexpr std::size_t kBeside = 6;  // moves on either side
  constexpr double kFarther = kFourTimes;  // than the second largest of them, which may be a jump
  constexpr int kMostRounds = 50;     // which bound the time; five are many
  bool again = true;
  for (int round = 0; again && round < kMostRounds; ++round) {
    again = false;
    std::size_t kept = 0;
    for (std::size_t t = 0; t < n; ++t)
      if (seen[t] != 0 && bad[t] == 0) scratch[kept++] = y[t];
    std::size_t next = 0;  // of the kept ones
    for (std::size_t t = 0; t < n; ++t) {
      if (seen[t] != 0 && bad[t] == 0) {
        ++next;
        continue;
      }
      if (bad[t] == 0) continue;
      double largest = 0, second = 0;
      const std::size_t first = next > kBeside ? next - kBeside : 1, last = std::min(next + kBeside + 1, kept);
      for (std::size_t i = first; i < last; ++i) {
        const double move = std::abs(scratch[i] - scratch[i - 1]);
        second = std::max(second, std::min(largest, move));
        largest = std::max(largest, move);
      }
      const bool inside = next > 0 && next < kept;
      const double there = inside ? y[t] - scratch[next - 1] : 0, back = inside ? y[t] - scratch[next] : 0;
      if (there * back > 0 && std::min(std::abs(there), std::abs(back)) > kFarther * second) continue;
      bad[t] = 0;
      again = true;  // it counts as kept from the next round on
    }
  }
}

template <class T>
int unit_exponent(const T* x, std::size_t n, double energy) noexcept {
  // Squares are taken in double, but single precision must also hold the sums of a filter.
  const double most = sizeof(T) == 8 ? 1e200 : 1e60;
  if (energy > 1 / most && energy < most) return 0;
  T peak = 0;
  for (std::size_t i = 0; i < n; ++i) peak = std::max(peak, std::abs(x[i]));
  return peak > 0 ? std::ilogb(peak) : 0;
}

template Gaps find_gaps<double>(const double*, std::size_t) noexcept;
template Gaps find_gaps<float>(const float*, std::size_t) noexcept;
template void interpolate_missing<double>(double*, std::size_t) noexcept;
template void interpolate_missing<float>(float*, std::size_t) noexcept;
template int unit_exponent<double>(const double*, std::size_t, double) noexcept;
template int unit_exponent<float>(const float*, std::size_t, double) noexcept;

}  // namespace rpsd
