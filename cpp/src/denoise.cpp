// SPDX-License-Identifier: MIT
#include "rpsd/denoise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "denoise_parts.hpp"
#include "rpsd/block_threshold.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/local_noise.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/threshold_selection.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

// Where the series is long enough for them: the seed's depth, and one at which little noise is left in the smooth;
// empirical Bayes weights find out by themselves what is signal there.
constexpr int kDefaultLevel = 4, kEbayesLevel = 8;

// Sums of squares are folded over blocks of this many samples, so that threads may share them out.
constexpr std::size_t kEnergyBlock = std::size_t{1} << 16;

template <class T>
double energy_of(const T* x, std::size_t n, int threads) {
  const auto& kernel = active_table<T>();
  if (n <= kEnergyBlock) return kernel.sum_squares(x, n);
  const std::size_t blocks = (n + kEnergyBlock - 1) / kEnergyBlock;
  std::vector<double> sums(blocks);
  parallel_for(blocks, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t b = begin; b < end; ++b)
      sums[b] = kernel.sum_squares(x + b * kEnergyBlock, std::min(kEnergyBlock, n - b * kEnergyBlock));
  });
  double energy = 0;
  for (const double s : sums) energy += s;
  return energy;
}

template <class T>
bool is_constant(const T* x, std::size_t n) noexcept {
  return std::all_of(x, x + n, [x](T v) { return v == x[0]; });
}

}  // namespace

template <class T>
struct Denoiser<T>::Scratch {
  FirScratch<T> fir;
  ModwtShrinkageScratch<T> modwt;
  Buffer<T> series, coefficients, selection;
  Buffer<double> prices, smoothed, spikes;
  std::vector<T*> details;
  std::vector<double> energies;
  std::vector<unsigned char> filled;  // samples that a line stands for
  std::vector<LevelDetails<T>> levels;
  std::vector<LevelShrinkage> shrinkages;
  LocalNoise local;
  Buffer<double> blocks;
};

template <class T>
Denoiser<T>::Denoiser(const Options& options) : options_(options), transform_(options.bank, options.boundary) {
  if (options.noise == Noise::price) {  // found in each series that is to be shrunk, and given from then on
    price_noise_ = options.threshold_mode != ThresholdMode::none && options.level != 0;
    options_.noise = Noise::given;
    options_.noise_sd = std::numeric_limits<double>::quiet_NaN();
  }
  if (options.method == Method::automatic) contest_.emplace(options.bank);
  if (options_.transform == TransformKind::modwt) modwt_.emplace(options_);
  if (!options.fir_taps.empty()) fir_.emplace(options.fir_taps, FirMode::zero_phase);
}

template <class T>
double Denoiser<T>::checked_energy(const T* x, std::size_t n, std::size_t row, std::size_t rows, int threads) const {
  const double energy = energy_of(x, n, threads);
  if (!std::isfinite(energy)) check_samples(options_, x, n, {row, rows});  // or only too large to be squared
  if (options_.space == Space::log) check_logarithms(options_, x, n, {row, rows});
  return energy;
}

template <class T>
bool Denoiser<T>::shrink_wavelet(const T* x, double energy, T* y, SeriesReport& report, const Pyramid<T>& pyramid,
                                 Scratch& scratch, int threads) const {
  const std::size_t levels = pyramid.levels(), tiles = pyramid.tiles(), n = pyramid.length(0);
  std::size_t total = pyramid.length(levels);
  for (std::size_t k = 1; k <= levels; ++k) total += pyramid.length(k);
  T* const approximation = scratch.coefficients.get(total);
  scratch.details.clear();
  for (std::size_t k = 1; k <= levels; ++k)
    scratch.details.push_back(k == 1 ? approximation + pyramid.length(levels)
                                     : scratch.details.back() + pyramid.length(k - 1));
  T* const* const details = scratch.details.data();

  scratch.energies.resize(levels * tiles);
  double* const energies = scratch.energies.data();
  parallel_for(tiles, threads, [&](std::size_t begin, std::size_t end) {
    auto& memory = of_this_thread<PyramidScratch<T>>();
    for (std::size_t t = begin; t < end; ++t)
      pyramid.forward(t, x, details, approximation, energies + t * levels, memory);
  });

  if (options_.noise != Noise::given) report.noise_sd = mad_noise(details[0], pyramid.length(1), scratch.selection);
  if (options_.noise != Noise::given && is_rounding(report.noise_sd, x, n, energy)) return false;
  scratch.shrinkages.resize(levels);
  LevelShrinkage* shrinkages = scratch.shrinkages.data();
  if (options_.noise == Noise::local || is_block_mode(options_.threshold_mode)) {
    shrink_in_place(pyramid, report.noise_sd, scratch, threads);
    shrinkages = nullptr;
  } else {
    scratch.levels.clear();
    for (std::size_t k = 0; k < levels; ++k) {
      const std::size_t m = pyramid.length(k + 1);
      double level_energy = 0;
      for (std::size_t t = 0; t < tiles; ++t) level_energy += energies[t * levels + k];
      const double sigma =
          options_.noise == Noise::level && k > 0 ? mad_noise(details[k], m, scratch.selection) : report.noise_sd;
      scratch.levels.push_back({details[k], m, level_energy / static_cast<double>(m), sigma});
    }
    select_shrinkages(options_, scratch.levels.data(), levels, n, threads, shrinkages);
  }

  parallel_for(tiles, threads, [&](std::size_t begin, std::size_t end) {
    auto& memory = of_this_thread<PyramidScratch<T>>();
    for (std::size_t t = begin; t < end; ++t) pyramid.inverse(t, approximation, details, shrinkages, y, memory);
  });
  return true;
}

// Blocks of neighbours, and details in units of a noise level that varies: all of a level is worked on at once.
template <class T>
void Denoiser<T>::shrink_in_place(const Pyramid<T>& pyramid, double noise_sd, Scratch& scratch, int threads) const {
  const std::size_t levels = pyramid.levels();
  const bool local = options_.noise == Noise::local;
  if (local) scratch.local.fit(scratch.details[0], pyramid.length(1), noise_sd, scratch.selection);
  // Coefficient i of the next level lies in the middle of what it reads of this one, at 2 i + 1 - (taps - 1) / 2.
  const double lag = (3.0 - static_cast<double>(transform_.taps())) / 2;
  const auto noise_at = [&](std::size_t level, std::size_t i) {
    double place = static_cast<double>(i);
    for (std::size_t k = 0; k < level; ++k) place = 2 * place + lag;
    return scratch.local.at(place);
  };
  scratch.levels.clear();
  for (std::size_t k = 0; k < levels; ++k) {
    T* const d = scratch.details[k];
    const std::size_t m = pyramid.length(k + 1);
    if (local)
      for (std::size_t i = 0; i < m; ++i) d[i] = static_cast<T>(static_cast<double>(d[i]) / noise_at(k, i));
    double sigma = local ? 1 : noise_sd;
    if (options_.noise == Noise::level) sigma = mad_noise(d, m, scratch.selection);
    scratch.levels.push_back({d, m, active_table<T>().sum_squares(d, m) / static_cast<double>(m), sigma});
  }
  const std::size_t n = pyramid.length(0);
  select_shrinkages(options_, scratch.levels.data(), levels, n, threads, scratch.shrinkages.data());
  for (std::size_t k = 0; k < levels; ++k) {
    T* const d = scratch.details[k];
    const std::size_t m = pyramid.length(k + 1);
    const LevelShrinkage& how = scratch.shrinkages[k];
    if (is_block_mode(options_.threshold_mode))
      shrink_blocks(blocks_of(options_.threshold_mode, n), d, m, how.sigma, scratch.blocks);
    else
      shrink(how, d, m, d);
    if (local)
      for (std::size_t i = 0; i < m; ++i) d[i] = static_cast<T>(static_cast<double>(d[i]) * noise_at(k, i));
  }
}

template <class T>
void Denoiser<T>::run(const T* x, std::size_t n, double energy, T* y, SeriesReport& report, const Pyramid<T>& pyramid,
                      Scratch& scratch, int threads, const std::size_t* only) const {
  check_stop();
  report = SeriesReport{};
  report.noise_sd = options_.noise == Noise::given ? options_.noise_sd : std::numeric_limits<double>::quiet_NaN();
  report.missing = std::isfinite(energy) ? 0 : find_gaps(x, n).missing;
  report.level = static_cast<int>(pyramid.levels());
  if (price_noise_) report.price.gain_db = report.price.causal_gain_db = report.price.gain_probability = 0;
  const auto leave = [&] {
    if (x != y) std::copy(x, x + n, y);
  };
  const bool clean = options_.outliers == Outliers::spike;
  if (report.missing == n || (report.level == 0 && !fir_ && !clean)) return leave();

  // Most series are worked on where they are; one with gaps, in logarithms or in units whose squares leave the range
  // of numbers, in a copy.
  const T* from = x;
  T* to = y;
  int exponent = 0;
  std::size_t spikes = 0;
  // Gaps and bad ticks give way to lines.
  const auto fill = [&](T* series) {
    std::copy(x, x + n, series);
    spikes = 0;
    if (options_.space == Space::log) {
      spikes = static_cast<std::size_t>(std::count_if(series, series + n, [](T v) { return v <= 0; }));
      std::replace_if(series, series + n, [](T v) { return v <= 0; }, std::numeric_limits<T>::quiet_NaN());
    }
    if (report.missing + spikes > 0) interpolate_missing(series, n);
    if (clean) spikes += remove_spikes(series, n, scratch.prices, scratch.spikes);
  };
  if (report.missing > 0 || options_.space == Space::log || clean || unit_exponent(x, n, energy) != 0) {
    T* const series = scratch.series.get(n);
    fill(series);
    if (is_constant(series, n) && spikes == 0) return leave();
    scratch.filled.resize(n);
    for (std::size_t i = 0; i < n; ++i) scratch.filled[i] = !(series[i] == x[i]);
    if (options_.space == Space::log)
      for (std::size_t i = 0; i < n; ++i) series[i] = std::log(series[i]);
    exponent = unit_exponent(series, n, energy_of(series, n, 1));
    rescale(series, n, -exponent);
    energy = energy_of(series, n, 1);
    from = to = series;
  } else if (is_constant(x, n)) {
    return leave();
  }
  report.noise_sd = std::ldexp(report.noise_sd, -exponent);
  bool worthwhile = true, filtered = true;
  if (price_noise_ || options_.min_gain_db > 0) {
    double* const prices = scratch.prices.get(2 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const bool filled = from != x && scratch.filled[i] != 0;  // which is no evidence
      prices[i] = filled ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(from[i]);
    }
    const PriceReport found = price_report(prices, n, static_cast<double>(std::numeric_limits<T>::epsilon()), prices + n);
    if (price_noise_) {
      report.price = found;
      report.price.action = PriceAction::passthrough;
      report.noise_sd = found.noise_sd;
      worthwhile = found.gain_db > 0 && found.noise_sd > 0;
    }
    if (options_.min_gain_db > 0) {
      // What the best smoother may gain is the most that any method can.
      report.price.gain_db = found.gain_db;
      report.price.gain_probability = found.gain_probability;
      filtered = found.gain_db >= options_.min_gain_db;
      worthwhile = worthwhile && filtered;
    }
    if (!worthwhile) report.level = 0;
  }
  if (report.level > 0)
    report.changed = modwt_ ? (*modwt_)(from, n, report.level, energy, to, report.noise_sd, threads, scratch.modwt)
                            : shrink_wavelet(from, energy, to, report, pyramid, scratch, threads);
  for (double* const sd : {&report.noise_sd, &report.price.noise_sd, &report.price.step_sd, &report.price.raw_sd})
    *sd = std::ldexp(*sd, exponent);
  if (fir_ && filtered) {
    const T* const unfiltered = report.changed ? to : from;
    if (only != nullptr)
      to[*only] = fir_->at(unfiltered, n, *only, scratch.fir);
    else
      (*fir_)(unfiltered, n, to, scratch.fir);
    report.changed = true;
  }
  if (!report.changed && spikes == 0) return leave();
  if (to == y) return;
  if (report.changed) {
    rescale(to, n, exponent);
    if (options_.space == Space::log)
      for (std::size_t i = 0; i < n; ++i) to[i] = std::exp(to[i]);
  } else {
    fill(to);  // what is no bad tick keeps its bits
    report.changed = true;
    report.price.action = PriceAction::cleaned;
  }
  if (report.missing > 0)
    for (std::size_t i = 0; i < n; ++i) to[i] = std::isnan(x[i]) ? x[i] : to[i];
  std::copy(to, to + n, y);
}

// Rows [begin, end), at most kPriceBundle of them: in double, and in ordinary units, as fitted models square what they see.
template <class T>
void Denoiser<T>::run_prices(Batch<const T> x, Batch<T> y, SeriesReport* reports, std::size_t begin, std::size_t end,
                             Scratch& scratch) const {
  const std::size_t n = x.length, count = end - begin;
  std::array<double*, kPriceBundle> to{};
  std::array<int, kPriceBundle> exponents{};
  std::array<PriceReport, kPriceBundle> found;
  const bool log_space = options_.space == Space::log;
  double* const prices = scratch.prices.get(count * n);
  for (std::size_t k = 0; k < count; ++k) {
    const T* const from = x.row(begin + k);
    to[k] = prices + k * n;
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = static_cast<double>(from[i]);
      to[k][i] = log_space ? (v <= 0 ? -std::numeric_limits<double>::infinity() : std::log(v)) : v;
    }
    exponents[k] = log_space ? 0 : price_exponent(to[k], n);  // no logarithm leaves the range
    rescale(to[k], n, -exponents[k]);
    reports[begin + k] = SeriesReport{};
    reports[begin + k].missing = find_gaps(from, n).missing;
  }
  const PriceOptions options{options_.method == Method::automatic ? PriceMethod::automatic : PriceMethod::kalman,
                             options_.min_gain_db, static_cast<double>(std::numeric_limits<T>::epsilon()),
                             options_.outliers == Outliers::spike, contest_ ? &*contest_ : nullptr};
  double* const values = scratch.smoothed.get(count * n);
  std::array<double*, kPriceBundle> out{};
  for (std::size_t k = 0; k < count; ++k) out[k] = values + k * n;
  denoise_prices(to.data(), n, count, out.data(), options, found.data());
  for (std::size_t k = 0; k < count; ++k) {
    SeriesReport& report = reports[begin + k];
    report.price = found[k];
    report.level = found[k].level;
    report.price.noise_sd = report.noise_sd = std::ldexp(found[k].noise_sd, exponents[k]);
    report.price.raw_sd = std::ldexp(found[k].raw_sd, exponents[k]);
    report.price.step_sd = std::ldexp(found[k].step_sd, exponents[k]);
    report.changed = found[k].action != PriceAction::passthrough;
    const T* const from = x.row(begin + k);
    T* const into = y.row(begin + k);
    for (std::size_t i = 0; i < n; ++i) {
      // A sample that was not touched stays as it is, whatever its units and logarithm would round.
      if (!report.changed || std::isnan(from[i]) || out[k][i] == to[k][i]) {
        into[i] = from[i];
        continue;
      }
      rescale(&out[k][i], 1, exponents[k]);
      const double v = log_space ? std::exp(out[k][i]) : out[k][i];
      into[i] = static_cast<T>(std::clamp<double>(v, -std::numeric_limits<T>::max(), std::numeric_limits<T>::max()));
    }
  }
}

template <class T>
void Denoiser<T>::operator()(Batch<const T> x, Batch<T> y, SeriesReport* reports, int threads,
                             const std::vector<std::size_t>& starts) const {
  active_kernels();
  // Series are shared out among the threads; a single one lends them its tiles.
  const int within = x.rows == 1 ? threads : 1;
  // Everything is checked before anything is written.
  std::vector<double> energies(x.rows);
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) energies[r] = checked_energy(x.row(r), x.length, r, x.rows, within);
  });
  if (starts.empty()) return run_all(x, y, energies, reports, threads);

  std::vector<SeriesReport> parts(x.rows);
  for (std::size_t s = 0; s <= starts.size(); ++s) {
    const std::size_t begin = s == 0 ? 0 : starts[s - 1], end = s == starts.size() ? x.length : starts[s];
    const Batch<const T> from{x.data + begin, x.rows, end - begin, x.stride};
    for (std::size_t r = 0; r < x.rows; ++r) energies[r] = energy_of(from.row(r), from.length, within);
    run_all(from, {y.data + begin, y.rows, end - begin, y.stride}, energies, parts.data(), threads);
    for (std::size_t r = 0; r < x.rows; ++r) {
      if (s == 0)
        reports[r] = parts[r];
      else
        merge(reports[r], parts[r], static_cast<double>(begin), static_cast<double>(end - begin));
    }
  }
}

template <class T>
Pyramid<T> Denoiser<T>::pyramid(std::size_t n) const {
  int level = 0;
  if (options_.threshold_mode != ThresholdMode::none && n > 0)
    level = options_.level == kAutoLevel
                ? std::min(options_.threshold_mode == ThresholdMode::ebayes ? kEbayesLevel : kDefaultLevel,
                           transform_.max_level(n))
                : options_.level;
  auto lengths = level_lengths(transform_, n, level);
  lengths.insert(lengths.begin(), n);
  return Pyramid<T>(transform_, std::move(lengths));
}

template <class T>
T Denoiser<T>::run_at(std::size_t position, const T* x, T* y, SeriesReport& report, const Pyramid<T>& pyramid) const {
  const std::size_t n = pyramid.length(0);
  run(x, n, energy_of(x, n, 1), y, report, pyramid, of_this_thread<Scratch>(), 1, &position);
  return y[position];
}

template <class T>
void Denoiser<T>::run_all(Batch<const T> x, Batch<T> y, const std::vector<double>& energies, SeriesReport* reports,
                          int threads) const {
  if (options_.method != Method::wavelet) {
    const std::size_t bundles = (x.rows + kPriceBundle - 1) / kPriceBundle;
    return parallel_for(bundles, threads, [&](std::size_t begin, std::size_t end) {
      auto& scratch = of_this_thread<Scratch>();
      for (std::size_t b = begin; b < end; ++b)
        run_prices(x, y, reports, b * kPriceBundle, std::min((b + 1) * kPriceBundle, x.rows), scratch);
    });
  }
  const Pyramid<T> pyramid = this->pyramid(x.length);
  const int within = x.rows == 1 ? threads : 1;
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    auto& scratch = of_this_thread<Scratch>();
    for (std::size_t r = begin; r < end; ++r)
      run(x.row(r), x.length, energies[r], y.row(r), reports[r], pyramid, scratch, within);
  });
}

template class Denoiser<double>;
template class Denoiser<float>;

}  // namespace rpsd
