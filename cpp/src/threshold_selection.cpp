// SPDX-License-Identifier: MIT
#include "rpsd/threshold_selection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/ebayes.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

struct SelectionScratch {
  Buffer<double> memory;
  std::vector<double> candidates;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRootHalf = 0.7071067811865476;  // 1 / sqrt 2

// P(Z > t) for a standard normal Z.
double upper_tail(double t) noexcept { return std::erfc(t * kRootHalf) / 2; }

double root_of_log(std::size_t n) noexcept { return std::sqrt(2 * std::log(static_cast<double>(n))); }

// |d| / sigma; of details without noise the threshold is 0 whatever they are.
template <class T>
void standardise(const LevelDetails<T>& level, double* z) noexcept {
  for (std::size_t i = 0; i < level.n; ++i) z[i] = std::abs(static_cast<double>(level.d[i])) / level.sigma;
}

}  // namespace

// Stein's unbiased estimate of the risk, n - 2 #{z <= t} + sum min(z, t)^2, grows between neighbouring z: its least
// value up to sqrt(2 ln n) is at 0 or at one of them.
template <class T>
double sure_threshold(const LevelDetails<T>& level, double* z) {
  if (!(level.sigma > 0) || level.n == 0) return 0;
  standardise(level, z);
  const auto n = static_cast<double>(level.n);
  // Only what lies within the bound is sorted.
  const double bound = root_of_log(level.n);
  double* const end = std::partition(z, z + level.n, [bound](double v) { return v <= bound; });
  std::sort(z, end);
  double least = n, threshold = 0, squares = 0;
  const auto inside = static_cast<std::size_t>(end - z);
  for (std::size_t k = 0; k < inside; ++k) {
    squares += z[k] * z[k];
    const double below = static_cast<double>(k + 1);
    const double risk = n - 2 * below + squares + (n - below) * z[k] * z[k];
    if (risk < least) {
      least = risk;
      threshold = z[k];
    }
  }
  return threshold;
}

// Where the details hold hardly more than the noise, SURE is too uncertain, and the universal threshold is taken.
template <class T>
double hybrid_threshold(const LevelDetails<T>& level, double* z) {
  if (!(level.sigma > 0) || level.n == 0) return 0;
  const auto n = static_cast<double>(level.n);
  const double excess = level.mean_square / (level.sigma * level.sigma) - 1;
  const double log2 = std::log2(n);
  return excess <= log2 * std::sqrt(log2) / std::sqrt(n) ? root_of_log(level.n) : sure_threshold(level, z);
}

// The ratio of risks is greatest at signals of 0 or without bound; the threshold makes these two equal:
// (n + 1) risk(t, 0) = 1 + t^2, with risk(t, 0) = 2 ((1 + t^2) P(Z > t) - t phi(t)), which falls with t.
double minimax_threshold(std::size_t n) noexcept {
  double low = 0, high = 10;
  for (int step = 0; step < 60; ++step) {
    const double t = (low + high) / 2, t2 = t * t;
    const double risk = 2 * ((1 + t2) * upper_tail(t) - t * 0.3989422804014327 * std::exp(-t2 / 2));
    ((static_cast<double>(n) + 1) * risk > 1 + t2 ? low : high) = t;
  }
  return high;
}

// Benjamini & Hochberg's step-up: the smallest of the k largest z for the greatest k whose p-value is q k / m at most.
// That coefficient is kept: the threshold is below it by more than the roundings of z and of sigma times it come to.
template <class T>
double fdr_threshold(const LevelDetails<T>* levels, std::size_t count, std::vector<double>& scratch) {
  constexpr double kRate = 0.05, kNormal = 1.959963984540054;  // a two-sided p-value of kRate, its greatest
  constexpr double kBelow = 1 - 0x1p-50;
  scratch.clear();
  std::size_t total = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const LevelDetails<T>& level = levels[k];
    total += level.n;
    for (std::size_t i = 0; i < level.n; ++i) {
      const double z = std::abs(static_cast<double>(level.d[i])) / level.sigma;
      if (z > kNormal - 1e-9) scratch.push_back(z);
    }
  }
  std::sort(scratch.begin(), scratch.end(), [](double a, double b) { return a > b; });
  for (std::size_t k = scratch.size(); k > 0; --k)
    if (2 * upper_tail(scratch[k - 1]) <= kRate * static_cast<double>(k) / static_cast<double>(total))
      return scratch[k - 1] * kBelow;
  return kInfinity;
}

bool needs_details(ThresholdMode mode) noexcept {
  return mode == ThresholdMode::sure || mode == ThresholdMode::hybrid || mode == ThresholdMode::fdr ||
         mode == ThresholdMode::ebayes;
}

bool needs_mean_squares(ThresholdMode mode) noexcept {
  return mode == ThresholdMode::bayes || mode == ThresholdMode::wiener || mode == ThresholdMode::hybrid;
}

template <class T>
void select_shrinkages(const Options& options, const LevelDetails<T>* levels, std::size_t count, std::size_t n,
                       int threads, LevelShrinkage* found) {
  const double scale = options.threshold_scale;
  double shared = 0;  // the threshold in units of the noise, where it is one for all levels
  if (options.threshold_mode == ThresholdMode::minimax) shared = minimax_threshold(n);
  if (options.threshold_mode == ThresholdMode::fdr)
    shared = fdr_threshold(levels, count, of_this_thread<SelectionScratch>().candidates);
  const auto select = [&](std::size_t k) {
    check_stop();
    const LevelDetails<T>& level = levels[k];
    const double sigma = level.sigma;
    LevelShrinkage& to = found[k];
    to = {options.threshold_rule, 0, sigma * scale, 1, 0};
    const auto work = [&] { return of_this_thread<SelectionScratch>().memory.get(level.n); };
    double threshold = 0;
    switch (options.threshold_mode) {
      case ThresholdMode::none:
      case ThresholdMode::blockjs:
      case ThresholdMode::neighblock: return;
      case ThresholdMode::wiener:
        to.rule = ThresholdRule::linear;
        to.threshold = scale > 0 ? linear_factor(sigma * scale, level.mean_square) : 1;
        return;
      case ThresholdMode::ebayes:
        if (!(sigma > 0) || level.n == 0) break;
        {
          auto& memory = of_this_thread<SelectionScratch>().memory;
          const auto fit = options.prior == Prior::laplace ? fit_laplace<T> : fit_ebayes<T>;
          const EbayesPrior prior = fit(level.d, level.n, sigma, memory);
          to.weight = prior.weight;
          to.rate = prior.rate;
          threshold = sigma * prior.threshold;
        }
        break;
      case ThresholdMode::bayes: threshold = bayes_threshold(sigma, level.mean_square); break;
      case ThresholdMode::universal: threshold = universal_threshold(sigma, n); break;
      case ThresholdMode::sure: threshold = sigma * sure_threshold(level, work()); break;
      case ThresholdMode::hybrid: threshold = sigma * hybrid_threshold(level, work()); break;
      case ThresholdMode::minimax:
      case ThresholdMode::fdr: threshold = sigma > 0 ? sigma * shared : 0; break;
    }
    // A scale of 0 means no shrinkage, also of a level that is all noise.
    to.threshold = scale > 0 ? threshold * scale : 0.0;
  };
  parallel_for(count, needs_details(options.threshold_mode) ? threads : 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < end; ++k) select(k);
  });
}

#define RPSD_INSTANTIATE(T)                                                                                     \
  template double sure_threshold<T>(const LevelDetails<T>&, double*);                                           \
  template double hybrid_threshold<T>(const LevelDetails<T>&, double*);                                         \
  template double fdr_threshold<T>(const LevelDetails<T>*, std::size_t, std::vector<double>&);                  \
  template void select_shrinkages<T>(const Options&, const LevelDetails<T>*, std::size_t, std::size_t, int,     \
                                     LevelShrinkage*);
RPSD_INSTANTIATE(double)
RPSD_INSTANTIATE(float)
#undef RPSD_INSTANTIATE

}  // namespace rpsd
