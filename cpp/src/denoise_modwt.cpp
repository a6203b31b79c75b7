// SPDX-License-Identifier: MIT
// A long series is worked on in blocks: once for what the thresholds need, and once, with the coefficients computed
// anew, to shrink and invert. That costs less than to write the coefficients to memory and to read them again.
#include "rpsd/denoise_modwt.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "modwt_blocks.hpp"
#include "rpsd/block_threshold.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/parallel.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

ModwtBoundary checked_boundary(Boundary boundary) {
  if (boundary == Boundary::symmetric) return ModwtBoundary::symmetric;
  if (boundary == Boundary::periodic) return ModwtBoundary::periodic;
  throw std::invalid_argument("boundary must be symmetric or periodic with transform=\"modwt\"");
}

// Levels whose details the thresholds depend on.
int statistics_depth(const Options& options, int level) {
  const ThresholdMode mode = options.threshold_mode;
  if (needs_mean_squares(mode) || needs_details(mode) || options.noise == Noise::level) return level;
  return options.noise == Noise::given ? 0 : 1;
}

bool details_are_kept(const Options& options, int j) {
  return options.noise == Noise::level || needs_details(options.threshold_mode) ||
         (options.noise == Noise::mad && j == 1);
}

// Blocks of neighbours and a noise level that varies need all coefficients at once.
bool needs_whole(const Options& options) {
  return options.noise == Noise::local || is_block_mode(options.threshold_mode);
}

// Noise of standard deviation s has details of standard deviation s / 2^(j/2).
double level_scale(int j) {
  double scale = 1;
  for (int k = 0; k < j; ++k) scale /= std::sqrt(2.0);
  return scale;
}

}  // namespace

// One series and what is known of it.
template <class T>
struct ModwtShrinkage<T>::Series {
  const T* x;
  std::size_t n;
  int level;
  double energy;
};

template <class T>
ModwtShrinkage<T>::ModwtShrinkage(const Options& options)
    : options_(options), boundary_(checked_boundary(options.boundary)), transform_(options.bank) {}

template <class T>
bool ModwtShrinkage<T>::estimate(const Series& series, const T* finest, double& noise_sd,
                                 ModwtShrinkageScratch<T>& scratch) const {
  if (options_.noise != Noise::given) noise_sd = mad_noise(finest, series.n, scratch.selection) / level_scale(1);
  return options_.noise == Noise::given || !is_rounding(noise_sd, series.x, series.n, series.energy);
}

template <class T>
void ModwtShrinkage<T>::select(const Series& series, const T* const* details, const PerLevel& mean_squares,
                               double noise_sd, int threads, ModwtShrinkageScratch<T>& scratch) const {
  scratch.levels.clear();
  for (int j = 1; j <= series.level; ++j) {
    const auto k = static_cast<std::size_t>(j);
    const double sigma = options_.noise == Noise::level ? mad_noise(details[k], series.n, scratch.selection)
                                                        : noise_sd * level_scale(j);
    scratch.levels.push_back({details[k], series.n, mean_squares[k], sigma});
  }
  scratch.shrinkages.resize(scratch.levels.size());
  select_shrinkages(options_, scratch.levels.data(), scratch.levels.size(), series.n, threads,
                    scratch.shrinkages.data());
}

// Divides the details of one level of a whole period by the noise level over the series, or multiplies them with it.
template <class T>
void ModwtShrinkage<T>::weigh(const Series& series, std::size_t period, int j, bool divide, T* row,
                              const LocalNoise& local) const {
  const std::size_t lag = transform_.detail_lag(j, period);
  for (std::size_t t = 0; t < period; ++t) {
    const std::size_t at = (t + period - lag) % period, mirrored = at < series.n ? at : period - 1 - at;
    const double level = local.at(static_cast<double>(mirrored));
    row[t] = static_cast<T>(divide ? static_cast<double>(row[t]) / level : static_cast<double>(row[t]) * level);
  }
}

// Where the filters reach round the series: the coefficients of one period, all at once.
template <class T>
bool ModwtShrinkage<T>::whole(const Series& series, T* y, double& noise_sd, int threads,
                              ModwtShrinkageScratch<T>& scratch) const {
  const T* const x = series.x;  // no structured binding: lambdas of C++17 may not capture one
  const std::size_t n = series.n;
  const int level = series.level;
  const std::size_t period = boundary_ == ModwtBoundary::periodic ? n : 2 * n;
  const auto rows = static_cast<std::size_t>(level) + 1;
  T* both = scratch.doubled.get(period);
  std::copy(x, x + n, both);
  if (period > n) std::reverse_copy(x, x + n, both + n);
  T* coeffs = scratch.coefficients.get(rows * period);
  transform_.forward(both, period, level, coeffs, scratch.transform);
  T* kept = scratch.kept.get(rows * n);
  std::array<const T*, kMaxModwtLevel + 1> details;
  PerLevel mean_squares{};
  const auto keep = [&](std::size_t k) {
    const std::size_t lag = period > n ? transform_.detail_lag(static_cast<int>(k), period) : 0;
    for (std::size_t t = 0; t < n; ++t) kept[k * n + t] = coeffs[(rows - k) * period + (t + lag) % period];
    details[k] = kept + k * n;
  };
  keep(1);
  if (!estimate(series, details[1], noise_sd, scratch)) return false;
  const bool local = options_.noise == Noise::local;
  if (local) scratch.local.fit(details[1], n, noise_sd * level_scale(1), scratch.selection);
  for (std::size_t k = 1; k < rows; ++k) {
    if (local) weigh(series, period, static_cast<int>(k), true, coeffs + (rows - k) * period, scratch.local);
    keep(k);
    mean_squares[k] = active_table<T>().sum_squares(details[k], n) / static_cast<double>(n);
  }
  // Of weighed details those of the finest level have noise of standard deviation 1.
  select(series, details.data(), mean_squares, local ? 1 / level_scale(1) : noise_sd, threads, scratch);
  for (std::size_t k = 1; k < rows; ++k) {
    T* const row = coeffs + (rows - k) * period;
    const LevelShrinkage& how = scratch.shrinkages[k - 1];
    if (is_block_mode(options_.threshold_mode))
      shrink_blocks_all_shifts(blocks_of(options_.threshold_mode, n), row, period,
                               (k < 64 ? std::size_t{1} << k : 0) % period, how.sigma, scratch.blocks);
    else
      shrink(how, row, period, row);
    if (local) weigh(series, period, static_cast<int>(k), false, row, scratch.local);
  }
  transform_.inverse(coeffs, period, level, both, scratch.transform);
  std::copy(both, both + n, y);
  return true;
}

template <class T>
bool ModwtShrinkage<T>::blocked(const Series& series, T* y, double& noise_sd, int threads,
                                ModwtShrinkageScratch<T>& scratch) const {
  const T* const x = series.x;  // no structured binding: lambdas of C++17 may not capture one
  const std::size_t n = series.n;
  const int level = series.level;
  const ModwtBlocks<T> blocks(transform_, boundary_, x, n, level, scratch.transform.offsets);
  const int depth = statistics_depth(options_, level);
  const std::size_t count = blocks.count(), halo = blocks.halo();
  std::array<T*, kMaxModwtLevel + 1> details{};
  std::array<std::size_t, kMaxModwtLevel + 1> lags{};
  T* kept = scratch.kept.get(n * static_cast<std::size_t>(details_are_kept(options_, depth) ? depth : 1));
  for (int j = 1; j <= depth; ++j) {
    const auto k = static_cast<std::size_t>(j);
    if (details_are_kept(options_, j)) details[k] = kept + (k - 1) * n;
    if (boundary_ == ModwtBoundary::symmetric) lags[k] = transform_.detail_lag(j, 2 * n);
  }
  const std::size_t furthest = *std::max_element(lags.begin(), lags.end());
  // One sum for each block and level, added in the order of the blocks: the same whoever works on them.
  double* energies = scratch.energies.get(count * static_cast<std::size_t>(depth + 1));

  if (depth > 0) {
    parallel_for(count, threads, [&](std::size_t begin, std::size_t end) {
      auto& work = of_this_thread<ModwtBlockScratch<T>>();
      for (std::size_t b = begin; b < end; ++b) {
        // A single block keeps everything for the second pass.
        blocks.analyse(b, count == 1 ? level : depth, count == 1, count == 1 ? halo : furthest, work);
        const std::size_t m = blocks.length(b);
        for (int j = 1; j <= depth; ++j) {
          const auto k = static_cast<std::size_t>(j);
          const T* d = work.detail(j) + halo + lags[k];
          energies[b + k * count] = active_table<T>().sum_squares(d, m);
          if (details[k]) std::copy(d, d + m, details[k] + b * blocks.size());
        }
      }
    });
  }
  PerLevel mean_squares{};
  for (int j = 1; j <= depth; ++j) {
    const auto k = static_cast<std::size_t>(j);
    for (std::size_t b = 0; b < count; ++b) mean_squares[k] += energies[b + k * count];
    mean_squares[k] /= static_cast<double>(n);
  }
  if (!estimate(series, details[1], noise_sd, scratch)) return false;
  select(series, details.data(), mean_squares, noise_sd, threads, scratch);

  // Blocks read beyond their ends what another block has written where y is x.
  T* const out = x == y && count > 1 ? scratch.output.get(n) : y;
  parallel_for(count, threads, [&](std::size_t begin, std::size_t end) {
    auto& work = of_this_thread<ModwtBlockScratch<T>>();
    for (std::size_t b = begin; b < end; ++b) {
      if (depth == 0 || count > 1) blocks.analyse(b, level, true, halo, work);
      blocks.shrink_and_invert(b, scratch.shrinkages.data(), out, work);
    }
  });
  if (out != y) std::copy(out, out + n, y);
  return true;
}

template <class T>
bool ModwtShrinkage<T>::operator()(const T* x, std::size_t n, int level, double energy, T* y, double& noise_sd,
                                   int threads, ModwtShrinkageScratch<T>& scratch) const {
  const Series series{x, n, level, energy};
  if (needs_whole(options_) || transform_.reach(level, n + 1) > n) return whole(series, y, noise_sd, threads, scratch);
  return blocked(series, y, noise_sd, threads, scratch);
}

template class ModwtShrinkage<double>;
template class ModwtShrinkage<float>;

}  // namespace rpsd
