// SPDX-License-Identifier: MIT
#include "rpsd/ebayes.hpp"

#include <algorithm>
#include <cmath>

#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

constexpr double kRootHalf = 0.7071067811865476;       // 1 / sqrt 2
constexpr double kNormalPeak = 0.3989422804014327;     // phi(0)
constexpr double kMillsAtZero = 1.2533141373155003;    // sqrt(pi / 2)

double largest_threshold(std::size_t n) noexcept {
  return std::sqrt(2 * std::log(static_cast<double>(std::max<std::size_t>(n, 2))));
}

// The weight whose posterior median leaves 0 at t. The median is 0 up to the z at which P(m > 0 | z) = 1/2; written out
// for the quasi-Cauchy prior that is (1 - w) / w t^2 = 1 + (2 Phi(t) - 1 - 2 phi(t) (sqrt(pi / 2) + t)) exp(t^2 / 2).
double weight_of_threshold(double t) noexcept {
  const double e = std::exp(t * t / 2);
  const double against = (1 + e * std::erf(t * kRootHalf) - 2 * kNormalPeak * (kMillsAtZero + t)) / (t * t);
  return 1 / (1 + std::max(against, 0.0));
}

template <class WeightOf>
double threshold_of_weight(double weight, double most, WeightOf weight_of) noexcept {
  double low = 0, high = most;
  // Halved until the numbers between are used up; the weight falls with the threshold.
  for (int step = 0; step < 60; ++step) {
    const double t = (low + high) / 2;
    (weight_of(t) > weight ? low : high) = t;
  }
  return high;
}

// Where sum odds / (1 + w odds) = 0, for w in [least, 1], beginning at `start`. w times that sum is nearly a straight
// line where few coefficients are signal: Newton steps on it, and bisection where one leaves the bracket.
double solve_weight(const double* odds, std::size_t n, double least, double start) {
  const auto& score = active_kernels().ebayes.weight_score;
  double sums[2], low = least, high = 1, w = start;
  for (int step = 0; step < 100 && low < high; ++step) {
    check_stop();
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

double fitted_weight(double* odds, std::size_t n, double least, double near = 0) {
  double sums[2];
  const auto& score = active_kernels().ebayes.weight_score;
  score(odds, n, least, sums);
  if (sums[0] <= 0) return least;
  score(odds, n, 1, sums);
  if (sums[0] >= 0) return 1;
  if (near > least && near < 1) return solve_weight(odds, n, least, near);
  double start = std::sqrt(least);
  if (n >= kMany) {
    double* const few = odds + n;
    for (std::size_t i = 0; i < n / kThin; ++i) few[i] = odds[i * kThin];
    start = solve_weight(few, n / kThin, least, start);
  }
  return solve_weight(odds, n, least, start);
}

// The Laplace prior: the weight whose posterior median leaves 0 at t, from (1 - w) / w = a/2 (R(a - t) - R(a + t)) with
// Mills' ratio R, and its derivative by a.
struct WeightByRate {
  double weight, slope;
};

double mills_ratio(double u) noexcept { return kMillsAtZero * std::exp(u * u / 2) * std::erfc(u * kRootHalf); }

WeightByRate laplace_weight(double t, double a) noexcept {
  const double above = mills_ratio(a - t), below = mills_ratio(a + t);
  const double weight = 1 / (1 + a / 2 * (above - below));
  return {weight, -weight * weight / 2 * (above - below + a * ((a - t) * above - (a + t) * below))};
}

// The likelihood of rate and weight, taken at the best weight of each rate.
class LaplaceFit {
 public:
  struct Point {
    double rate, weight, slope;  // of the logarithm of the likelihood, by the rate
  };

  // z and as much memory behind it as doubles_for says; z: n coefficients, at least 0, in units of the noise.
  LaplaceFit(double* z, std::size_t n) : z_(z), odds_(z + n), slopes_(odds_ + n + n / kThin), n_(n) {}
  static std::size_t doubles_for(std::size_t n) noexcept { return 3 * n + n / 2; }

  Point fit() {
    if (n_ < kMany) return climb(best_of_grid());
    // Of many coefficients, first on every kThin-th.
    double* const few = slopes_ + n_;
    for (std::size_t i = 0; i < n_ / kThin; ++i) few[i] = z_[i * kThin];
    const Point start = LaplaceFit(few, n_ / kThin).fit();
    return climb(at(start.rate, start.weight));
  }

 private:
  static constexpr double kLeastRate = 0.04, kMostRate = 3;
  static constexpr int kSteps = 8;
  static constexpr double kStep = 1.7154732178;  // kSteps of them lead from the least to the most

  Point at(double rate, double near) {
    check_stop();
    const auto& kernel = active_kernels().ebayes;
    kernel.laplace_odds(z_, n_, rate, odds_, slopes_);
    const WeightByRate least = laplace_weight(largest_threshold(n_), rate);
    const double weight = fitted_weight(odds_, n_, least.weight, near);
    double slope = weight * kernel.laplace_score(odds_, slopes_, n_, weight);
    if (weight <= least.weight) {  // a bound that moves with the rate
      double sums[2];
      kernel.weight_score(odds_, n_, weight, sums);
      slope += sums[0] * least.slope;
    }
    return {rate, weight, slope};
  }

  // The logarithm of the likelihood at the last point, whose slopes it overwrites.
  double value(double weight) {
    for (std::size_t i = 0; i < n_; ++i) slopes_[i] = 1 + weight * odds_[i];
    active_kernels().state_space.logarithms(slopes_, n_, slopes_);
    return active_table<double>().sum(slopes_, n_);
  }

  Point best_of_grid() {
    Point best{}, point{};
    double most = 0;
    for (int k = 0; k <= kSteps; ++k) {
      point = at(k == 0 ? kLeastRate : std::min(point.rate * kStep, kMostRate), point.weight);
      const double likelihood = value(point.weight);
      if (k > 0 && likelihood <= most) continue;
      most = likelihood;
      best = point;
    }
    return best;
  }

  // Uphill until the slope turns, or to the end.
  Point climb(Point from) {
    const bool up = from.slope > 0;
    while (from.rate != (up ? kMostRate : kLeastRate)) {
      const double next = up ? std::min(from.rate * kStep, kMostRate) : std::max(from.rate / kStep, kLeastRate);
      const Point to = at(next, from.weight);
      if ((to.slope > 0) != up) return between(from, to);
      from = to;
    }
    return from;
  }

  // Where the slope is 0, by the Illinois method: false position that halves the slope of an end that stays.
  Point between(Point other, Point newest) {
    for (int step = 0; step < 60 && newest.slope != 0; ++step) {
      const double width = newest.rate - other.rate;
      double next = newest.rate - newest.slope * (width / (newest.slope - other.slope));
      if (!((next - newest.rate) * (next - other.rate) < 0)) next = newest.rate - width / 2;
      const bool settled = std::abs(next - newest.rate) <= 1e-12 * next;
      const Point point = at(next, newest.weight);
      if ((point.slope > 0) != (newest.slope > 0)) other = newest;
      else other.slope /= 2;
      newest = point;
      if (settled) break;
    }
    return newest;
  }

  double *z_, *odds_, *slopes_;
  std::size_t n_;
};

}  // namespace

template <class T>
EbayesPrior fit_laplace(const T* d, std::size_t n, double sigma, Buffer<double>& scratch) {
  double* const z = scratch.get(LaplaceFit::doubles_for(n));
  const double inverse_sigma = 1 / sigma;
  for (std::size_t i = 0; i < n; ++i) z[i] = std::abs(static_cast<double>(d[i])) * inverse_sigma;
  const auto [rate, weight, slope] = LaplaceFit(z, n).fit();
  const auto weight_of = [a = rate](double t) { return laplace_weight(t, a).weight; };
  return {weight, weight < 1 ? threshold_of_weight(weight, largest_threshold(n), weight_of) : 0.0, rate};
}

template EbayesPrior fit_laplace<double>(const double*, std::size_t, double, Buffer<double>&);
template EbayesPrior fit_laplace<float>(const float*, std::size_t, double, Buffer<double>&);

template <class T>
EbayesPrior fit_ebayes(const T* d, std::size_t n, double sigma, Buffer<double>& scratch) {
  double* const odds = scratch.get(n + n / kThin);
  active_table<T>().cauchy_odds(d, n, 1 / sigma, odds);
  const double most = largest_threshold(n);
  const double weight = fitted_weight(odds, n, weight_of_threshold(most));
  return {weight, weight < 1 ? threshold_of_weight(weight, most, weight_of_threshold) : 0.0, 0};
}

template EbayesPrior fit_ebayes<double>(const double*, std::size_t, double, Buffer<double>&);
template EbayesPrior fit_ebayes<float>(const float*, std::size_t, double, Buffer<double>&);

}  // namespace rpsd
