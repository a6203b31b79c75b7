// SPDX-License-Identifier: MIT
// FIR filtering of batches with given taps.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "rpsd/fft.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

enum class FirMode {
  zero_phase,  // forward and backward from steady states, odd extension (Gustafsson 1996; scipy.signal.filtfilt)
  causal,      // from rest: y[i] = sum_k taps[k] x[i-k], zeros before the start
  same,        // centred: the middle n of the full convolution, zeros outside
};

template <class T>
struct FirScratch {
  Buffer<T> ends, window, work, whole;
  Buffer<double> padded, forward, sums;  // of series shorter than the filter
};

// y[i] = sum_k c[k] w[i+k]: the sums themselves, or for many coefficients overlap-save by Fourier transforms, two blocks
// at a time as real and imaginary parts. Which one depends on the numbers of coefficients and samples alone.
template <class T>
class Correlation {
 public:
  // look_ahead: whether a result may depend, in its rounding, on samples behind its own; transforms need that.
  Correlation(std::vector<T> coefficients, bool look_ahead);

  const std::vector<T>& coefficients() const noexcept { return coefficients_; }

  // Whether a result of a series of n may come from a transform, and depend on samples beyond the coefficients' reach.
  bool transforms(std::size_t n) const noexcept;

  // Outputs to ask for at a time in a series of n, so that a series can be cut anywhere at multiples of them.
  std::size_t unit(std::size_t n) const noexcept;

  // m <= unit(n) outputs from the m + coefficients - 1 samples at w; y lies apart from w.
  void operator()(const T* w, std::size_t m, std::size_t n, T* y, Buffer<T>& work) const;

 private:
  // Made when first needed: short series never do.
  struct Spectrum {
    std::once_flag made;
    const ConvolutionFft<T>* fft = nullptr;
    std::vector<T> re, im;
  };
  bool is_even(const T* w, std::size_t m) const noexcept;
  void by_transforms(const T* w, std::size_t m, T* y, Buffer<T>& work) const;
  const Spectrum& spectrum() const;

  std::vector<T> coefficients_;
  bool symmetric_;
  std::size_t size_;  // of the transforms; 0: none
  std::unique_ptr<Spectrum> spectrum_;
};

// A filter ready to run; immutable, may be shared by threads that bring their own scratch.
template <class T>
class Fir {
 public:
  // taps: at least one, finite; else std::invalid_argument.
  Fir(const std::vector<double>& taps, FirMode mode);

  // x[n] -> y[n]; y may be x.
  void operator()(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const;

  // The same in parts, with the same bits: units first to last - 1 of units(n). y lies apart from x, or all are asked for.
  std::size_t units(std::size_t n) const noexcept;
  void run(const T* x, std::size_t n, T* y, std::size_t first, std::size_t last, FirScratch<T>& scratch) const;
  // y[i] alone, i < n, with the same bits.
  T at(const T* x, std::size_t n, std::size_t i, FirScratch<T>& scratch) const;

 private:
  bool is_short(std::size_t n) const noexcept;
  void zero_phase_short(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const;
  void extend(const T* x, std::size_t n, T* left, T* right) const;
  void copy_extended(const T* x, std::size_t n, const T* left, const T* right, std::size_t begin, std::size_t end,
                     T* to) const;

  FirMode mode_;
  std::vector<double> taps_, reversed_;
  std::size_t before_, after_;  // samples that the first and the last output need outside
  Correlation<T> correlation_;
};

template <class T>
void fir_filter(const Fir<T>& filter, Batch<const T> x, Batch<T> y, int threads);

}  // namespace rpsd
