// SPDX-License-Identifier: MIT
#include "rpsd/ebayes.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/cpu.hpp"

namespace rpsd {
namespace {

constexpr double kRootHalf = 0.7071067811865476;       // 1 / sqrt 2
constexpr double kNormalPeak = 0.3989422804014327;     // phi(0)
constexpr double kMillsAtZero = 1.2533141373155003;    // sqrt(pi / 2)

// The weight whose posterior median leaves 0 at t. The median is 0 up to the z at which P(m > 0 | z) = 1/2; written out
// for the quasi-Cauchy prior that is (1 - w) / w t^2 = 1 + (2 Phi(t) - 1 - 2 phi(t) (sqrt(pi / 2) + t)) exp(t^2 / 2).
double weight_of_threshold(double t) noexcept {
  const double e = std::exp(t * t / 2);
  const double against = (1 + e * std::erf(t * kRootHalf) - 2 * kNormalPeak * (kMillsAtZero + t)) / (t * t);
  return 1 / (1 + std::max(against, 0.0));
}

double threshold_of_weight(double weight, double most) noexcept {
  double low = 0, high = most;
  // Halved until the numbers between are used up; the weight falls with the threshold.
  for (int step = 0; step < 60; ++step) {
    const double t = (low + high) / 2;
    (weight_of_threshold(t) > weight ? low : high) = t;
  }
  return high;
}

// Where sum odds / (1 + w odds) = 0, for w in [least, 1], beginning at `start`. w times that sum is nearly a straight
// line where few coefficients are signal: Newton steps on it, and bisection where one leaves the bracket.
double solve_weight(const double* odds, std::size_t n, double least, double start) {
  const auto& score = active_kernels().ebayes.weight_score;
  double sums[2], low = least, high = 1, w = start;
  for (int step = 0; step < 100 && low < high; ++step) {
    score(odds, n, w, sums);
    (sums[0] > 0 ? low : high) = w;
    const double slope = sums[0] - w * sums[1];  // of w times the score
    double next = slope < 0 ? w - w * sums[0] / slope : 0;
    if (!(next > low && next < high)) next = std::sqrt(low * high);
    const bool settled = std::abs(next - w) <= 1e-13 * w;
    w = next;
    if (settled) break;
  }
  return w;
}

// Of so many coefficients the weight is first found on every kThin-th.
constexpr std::size_t kMany = 8192, kThin = 16;

double fitted_weight(double* odds, std::size_t n, double least) {
  double sums[2];
  const auto& score = active_kernels().ebayes.weight_score;
  score(odds, n, least, sums);
  if (sums[0] <= 0) return least;
  score(odds, n, 1, sums);
  if (sums[0] >= 0) return 1;
  double start = std::sqrt(least);
  if (n >= kMany) {
    double* const few = odds + n;
    for (std::size_t i = 0; i < n / kThin; ++i) few[i] = odds[i * kThin];
    start = solve_weight(few, n / kThin, least, start);
  }
  return solve_weight(odds, n, least, start);
}

}  // namespace

template <class T>
EbayesPrior fit_ebayes(const T* d, std::size_t n, double sigma, Buffer<double>& scratch) {
  double* const odds = scratch.get(n + n / kThin);
  active_table<T>().cauchy_odds(d, n, 1 / sigma, odds);
  const double most = std::sqrt(2 * std::log(static_cast<double>(std::max<std::size_t>(n, 2))));
  const double weight = fitted_weight(odds, n, weight_of_threshold(most));
  return {weight, weight < 1 ? threshold_of_weight(weight, most) : 0.0};
}

template EbayesPrior fit_ebayes<double>(const double*, std::size_t, double, Buffer<double>&);
template EbayesPrior fit_ebayes<float>(const float*, std::size_t, double, Buffer<double>&);

}  // namespace rpsd
