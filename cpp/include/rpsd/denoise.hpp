// SPDX-License-Identifier: MIT
// The denoiser: transform, estimate the noise, shrink, invert, filter.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "rpsd/denoise_modwt.hpp"
#include "rpsd/denoise_price.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/options.hpp"
#include "rpsd/pyramid.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd {

// What was done to one series.
struct SeriesReport {
  double noise_sd = 0.0;     // in the units of the space the work was done in; NaN where it was not needed
  int level = 0;             // wavelet levels used
  std::size_t missing = 0;   // NaN samples
  bool changed = false;      // false: the output is the input, untouched
  PriceReport price;         // of the methods that fit a price model
};

// A chain that has been validated once. Immutable; runs from any number of threads at once.
template <class T>
class Denoiser {
 public:
  explicit Denoiser(const Options& options);

  // x -> y, one report a series; y may be x. Throws std::invalid_argument for an infinite sample, for NaN where
  // missing is raise, and for a price that has no logarithm; y has then not been written.
  // starts: where sessions begin, ascending, within (0, length): each is a series of its own.
  void operator()(Batch<const T> x, Batch<T> y, SeriesReport* reports, int threads,
                  const std::vector<std::size_t>& starts = {}) const;

  // One value of a series without NaN or infinities on the caller's thread, with the bits of operator(): y[position] of
  // x[n] -> y[n], n = pyramid.length(0); the rest of y is scratch, apart from x. For a method that fits no price model;
  // pyramid: that of n, which may serve any number of series.
  const Transform<T>& transform() const noexcept { return transform_; }
  Pyramid<T> pyramid(std::size_t n) const;
  T run_at(std::size_t position, const T* x, T* y, SeriesReport& report, const Pyramid<T>& pyramid) const;

 private:
  struct Scratch;
  void run_all(Batch<const T> x, Batch<T> y, const std::vector<double>& energies, SeriesReport* reports,
               int threads) const;
  void run_prices(Batch<const T> x, Batch<T> y, SeriesReport* reports, std::size_t begin, std::size_t end,
                  Scratch& scratch) const;
  // The sum of squares of the series, not finite where it holds NaN or an infinity. Throws as operator() does.
  double checked_energy(const T* x, std::size_t n, std::size_t row, std::size_t rows, int threads) const;
  void run(const T* x, std::size_t n, double energy, T* y, SeriesReport& report, const Pyramid<T>& pyramid,
           Scratch& scratch, int threads, const std::size_t* only = nullptr) const;
  // x -> y; false where the noise found is no more than rounding, and y has then not been written.
  bool shrink_wavelet(const T* x, double energy, T* y, SeriesReport& report, const Pyramid<T>& pyramid,
                      Scratch& scratch, int threads) const;
  void shrink_in_place(const Pyramid<T>& pyramid, double noise_sd, Scratch& scratch, int threads) const;

  Options options_;
  bool price_noise_ = false;
  Transform<T> transform_;
  std::optional<ModwtShrinkage<T>> modwt_;
  std::optional<WaveletContest> contest_;
  std::optional<Fir<T>> fir_;
};

}  // namespace rpsd
