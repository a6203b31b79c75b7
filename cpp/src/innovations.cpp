// SPDX-License-Identifier: MIT
#include "rpsd/innovations.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/scale_mixture.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

constexpr std::size_t kLeast = 8;

}  // namespace

void Innovations::of(const LocalLevel& problem) {
  values_ = memory_.get(problem.n);
  count_ = 0;
  double level = problem.y[0], variance = problem.r[0], squares = 0;
  in_pieces(1, problem.n, kStopPiece, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const double before = variance + problem.q[t];
      if (problem.seen[t] == 0) {
        variance = before;
        continue;
      }
      const double predicted = before + problem.r[t], error = problem.y[t] - level, gain = before / predicted;
      const double value = error / std::sqrt(predicted);
      values_[count_++] = value;
      squares += value * value;
      level += gain * error;
      variance = gain * problem.r[t];
    }
  });
  if (!(squares > 0)) return;
  const double unit = std::sqrt(static_cast<double>(count_) / squares);
  for (std::size_t i = 0; i < count_; ++i) values_[i] *= unit;
}

double Innovations::kurtosis_z() const noexcept {
  if (count_ < kLeast) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const double square = values_[i] * values_[i];
    sum += square * square;
  }
  const auto n = static_cast<double>(count_);
  return (sum / n - 3) / std::sqrt(24 / n);
}

double Innovations::volatility_z() {
  if (count_ < kLeast) return 0;
  constexpr double kMost = 9;
  // Of the moving average's weights: the one of the sample itself, and the sum of the squares of the others.
  constexpr double kOwn = 0.3989422804014327 / kVolatilityBandwidth;
  constexpr double kOthers = 0.28209479177387814 / kVolatilityBandwidth - kOwn * kOwn;
  const auto n = static_cast<double>(count_);
  double* const squares = smoothed_.get(2 * count_);
  double* const average = squares + count_;
  double mean = 0;
  for (std::size_t i = 0; i < count_; ++i) mean += squares[i] = std::min(values_[i] * values_[i], kMost);
  mean /= n;
  double variance = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    squares[i] -= mean;
    variance += squares[i] * squares[i];
  }
  variance /= n;
  if (!(variance > 0)) return 0;
  smooth_volatility(squares, count_, average);
  double sum = 0;
  for (std::size_t i = 0; i < count_; ++i) sum += squares[i] * (average[i] - kOwn * squares[i]);
  return sum / (variance * std::sqrt(2 * n * kOthers));
}

}  // namespace rpsd
