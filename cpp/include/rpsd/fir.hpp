// SPDX-License-Identifier: MIT
// FIR filtering of batches with given taps.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/view.hpp"

namespace rpsd {

enum class FirMode {
  zero_phase,  // forward and backward from steady states, odd extension (Gustafsson 1996; scipy.signal.filtfilt)
  causal,      // from rest: y[i] = sum_k taps[k] x[i-k], zeros before the start
  same,        // centred: the middle n of the full convolution, zeros outside
};

template <class T>
struct FirScratch {
  Buffer<T> padded, forward;
};

// A filter ready to run; immutable, may be shared by threads that bring their own scratch.
template <class T>
class Fir {
 public:
  // taps: at least one, finite; else std::invalid_argument.
  Fir(const std::vector<double>& taps, FirMode mode);

  // x[n] -> y[n]; y may be x.
  void operator()(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const;

 private:
  void zero_phase_short(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const;

  FirMode mode_;
  std::vector<T> taps_, reversed_, squared_;
};

template <class T>
void fir_filter(const Fir<T>& filter, Batch<const T> x, Batch<T> y, int threads);

}  // namespace rpsd
