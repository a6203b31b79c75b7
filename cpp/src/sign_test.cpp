// SPDX-License-Identifier: MIT
#include "rpsd/sign_test.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/cpu.hpp"
#include "rpsd/scale_mixture.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

constexpr std::size_t kLeastMoves = 8;
constexpr double kFirstHold = 3;   // of a move, in robust standard deviations of all, for a first volatility
constexpr double kLargest = 4;     // a larger one, in those of its time, has no weight
constexpr double kHold = 2.5;
constexpr double kMemory = 0.2;    // of the exponential average: noise shows in neighbours first

}  // namespace

double sign_test(const double* y, const double* counts, std::size_t n, SignTestScratch& scratch) {
  double* const moves = scratch.arrays.get(5 * n);
  double *const squares = moves + n, *const volatility = squares + n, *const used = volatility + n,
         *const share = used + n;
  std::size_t m = 0, last = n;
  for (std::size_t t = 0; t < n; ++t) {
    if (counts[t] == 0) continue;
    if (last != n) moves[m++] = y[t] - y[last];
    last = t;
  }
  if (m < kLeastMoves) return 0;
  const double typical = 1.4826 * active_table<double>().median_abs(moves, m, scratch.selection.get(m));
  const double most = kFirstHold * kFirstHold * typical * typical;
  for (std::size_t i = 0; i < m; ++i) {
    const double square = moves[i] * moves[i];
    squares[i] = most > 0 ? std::min(square, most) : square;
  }
  smooth_volatility(squares, m, volatility);
  for (std::size_t i = 0; i < m; ++i) {
    const double square = moves[i] * moves[i];
    used[i] = square <= kLargest * kLargest * volatility[i] ? 1 : 0;
    squares[i] = used[i] * square;
  }
  smooth_volatility(used, m, share);
  smooth_volatility(squares, m, volatility);

  double sum = 0, variance = 0, average = 0, average_square = 0;
  in_pieces(0, m, kStopPiece, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const double scale = share[i] > 0 ? volatility[i] / share[i] : 0;
      double u = scale > 0 ? moves[i] / std::sqrt(scale) : 0;
      u = std::abs(u) > kLargest ? 0 : std::clamp(u, -kHold, kHold);
      sum -= u * average;
      variance += u * u * average_square;
      average = kMemory * (average + u);
      average_square = kMemory * kMemory * (average_square + u * u);
    }
  });
  return variance > 0 ? sum / std::sqrt(variance) : 0;
}

}  // namespace rpsd
