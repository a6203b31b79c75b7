// SPDX-License-Identifier: MIT
#include "rpsd/denoise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/threshold.hpp"

namespace rpsd {
namespace {

// The seed's depth where the series is long enough for it.
constexpr int kDefaultLevel = 4;

[[noreturn]] void reject(const char* what, std::size_t row, std::size_t rows, std::size_t position,
                         const std::string& allowed) {
  const std::string where = (rows > 1 ? "series " + std::to_string(row) + ", " : std::string()) + "position " +
                            std::to_string(position);
  throw std::invalid_argument(std::string("x has ") + what + " at " + where + "; allowed: " + allowed);
}

// A noise estimate up to this is the rounding of the transform itself: prices that hardly move have none to remove.
template <class T>
double rounding_of(const T* x, std::size_t n) noexcept {
  T peak = 0;
  for (std::size_t i = 0; i < n; ++i) peak = std::max(peak, std::abs(x[i]));
  return 16 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(peak);
}

template <class T>
void rescale(T* x, std::size_t n, int exponent) noexcept {
  if (exponent == 0) return;
  for (std::size_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], exponent);
}

}  // namespace

template <class T>
struct Denoiser<T>::Scratch {
  TransformScratch<T> transform;
  FirScratch<T> fir;
  Buffer<T> series, details, approximation[2], selection;
};

template <class T>
Denoiser<T>::Denoiser(const Options& options) : options_(options), transform_(options.bank, options.boundary) {
  if (!options.fir_taps.empty()) fir_.emplace(options.fir_taps, FirMode::zero_phase);
}

template <class T>
void Denoiser<T>::check(const T* x, std::size_t n, std::size_t row, std::size_t rows) const {
  const Gaps gaps = find_gaps(x, n);
  if (gaps.first_infinite < n)
    reject(x[gaps.first_infinite] > 0 ? "inf" : "-inf", row, rows, gaps.first_infinite,
           "finite numbers, and NaN for a missing sample");
  if (gaps.missing > 0 && options_.missing == Missing::raise)
    reject("NaN", row, rows, gaps.first_missing, "finite numbers (missing=\"interpolate\" accepts NaN)");
  if (options_.space == Space::log)
    for (std::size_t i = 0; i < n; ++i)
      if (x[i] <= 0) reject("a value <= 0", row, rows, i, "prices > 0 with space=\"log\" (or space=\"price\")");
}

template <class T>
bool Denoiser<T>::shrink_wavelet(T* x, std::size_t n, SeriesReport& report, Scratch& scratch) const {
  const auto& kernel = active_table<T>();
  const int level = report.level;
  const auto lengths = level_lengths(transform_, n, level);
  std::size_t total = 0;
  for (const std::size_t m : lengths) total += m;
  T* details = scratch.details.get(total);

  // Down: details of level 1 first, one after the other.
  const T* current = x;
  std::size_t length = n;
  T* d = details;
  for (int k = 0; k < level; ++k) {
    const std::size_t m = lengths[static_cast<std::size_t>(k)];
    T* a = scratch.approximation[k % 2].get(m);
    transform_.forward(current, length, a, d, scratch.transform);
    if (k == 0 && options_.noise != Noise::given) report.noise_sd = mad_noise(d, m, scratch.selection);
    if (k == 0 && options_.noise == Noise::mad && report.noise_sd <= rounding_of(x, n)) return false;
    const double sigma =
        options_.noise == Noise::level && k > 0 ? mad_noise(d, m, scratch.selection) : report.noise_sd;
    double threshold = options_.threshold_mode == ThresholdMode::bayes
                           ? bayes_threshold(sigma, kernel.sum_squares(d, m) / static_cast<double>(m))
                           : universal_threshold(sigma, n);
    // A scale of 0 means no shrinkage, also of a level that is all noise.
    threshold = options_.threshold_scale > 0 ? threshold * options_.threshold_scale : 0.0;
    shrink(options_.threshold_rule, d, m, threshold);
    current = a;
    length = m;
    d += m;
  }

  // Up again; an approximation one longer than its detail loses its last sample.
  for (int k = level - 1; k >= 0; --k) {
    const std::size_t m = lengths[static_cast<std::size_t>(k)];
    d -= m;
    T* out = scratch.approximation[(k + 1) % 2].get(transform_.sample_count(m));
    transform_.inverse(current, d, m, out, scratch.transform);
    current = out;
  }
  std::copy(current, current + n, x);
  return true;
}

template <class T>
void Denoiser<T>::run(const T* x, std::size_t n, T* y, SeriesReport& report, Scratch& scratch) const {
  report = SeriesReport{};
  report.noise_sd = options_.noise == Noise::given ? options_.noise_sd : std::numeric_limits<double>::quiet_NaN();
  report.missing = find_gaps(x, n).missing;
  if (options_.threshold_mode != ThresholdMode::none && n > 0)
    report.level = options_.level == kAutoLevel ? std::min(kDefaultLevel, transform_.max_level(n)) : options_.level;
  if (report.missing == n || (report.level == 0 && !fir_)) {
    if (x != y) std::copy(x, x + n, y);
    return;
  }
  T* series = scratch.series.get(n);
  std::copy(x, x + n, series);
  if (report.missing > 0) interpolate_missing(series, n);
  if (std::all_of(series, series + n, [&](T v) { return v == series[0]; })) {
    if (x != y) std::copy(x, x + n, y);
    return;
  }
  if (options_.space == Space::log)
    for (std::size_t i = 0; i < n; ++i) series[i] = std::log(series[i]);
  const int exponent = unit_exponent(series, n);
  rescale(series, n, -exponent);
  report.noise_sd = std::ldexp(report.noise_sd, -exponent);
  if (report.level > 0) report.changed = shrink_wavelet(series, n, report, scratch);
  report.noise_sd = std::ldexp(report.noise_sd, exponent);
  if (fir_) {
    (*fir_)(series, n, series, scratch.fir);
    report.changed = true;
  }
  if (!report.changed) {
    if (x != y) std::copy(x, x + n, y);
    return;
  }
  rescale(series, n, exponent);
  if (options_.space == Space::log)
    for (std::size_t i = 0; i < n; ++i) series[i] = std::exp(series[i]);
  if (report.missing > 0)
    for (std::size_t i = 0; i < n; ++i) series[i] = std::isnan(x[i]) ? x[i] : series[i];
  std::copy(series, series + n, y);
}

template <class T>
void Denoiser<T>::operator()(Batch<const T> x, Batch<T> y, SeriesReport* reports, int threads) const {
  active_kernels();
  // Everything is checked before anything is written.
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) check(x.row(r), x.length, r, x.rows);
  });
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    thread_local Scratch scratch;
    for (std::size_t r = begin; r < end; ++r) run(x.row(r), x.length, y.row(r), reports[r], scratch);
  });
}

template class Denoiser<double>;
template class Denoiser<float>;

}  // namespace rpsd
