// SPDX-License-Identifier: MIT
// Multilevel discrete wavelet transform of batches, for any two-channel filter bank and nine boundary modes.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/view.hpp"

namespace rpsd {

// How a signal goes on beyond its ends; names and meanings are PyWavelets'.
enum class Boundary { zero, constant, symmetric, reflect, periodic, smooth, antisymmetric, antireflect, periodization };

// Analysis and synthesis filters, all four of one even length of at least two.
struct FilterBank {
  std::vector<double> dec_lo, dec_hi, rec_lo, rec_hi;
};

// Scratch of one thread.
template <class T>
struct TransformScratch {
  Buffer<T> even, odd, approximation[2], padded;
};

// One level, forward and back. Immutable; may be shared by threads that bring their own scratch.
template <class T>
class Transform {
 public:
  Transform(const FilterBank& bank, Boundary boundary);

  std::size_t taps() const noexcept { return 2 * half_; }
  // Coefficients of each kind from n >= 1 samples.
  std::size_t coefficient_count(std::size_t n) const noexcept;
  // Samples from m coefficients of each kind; 0 where m is too small to give any.
  std::size_t sample_count(std::size_t m) const noexcept;
  // Levels that keep at least one coefficient free of both ends: floor(log2(n / (taps - 1))), at least 0.
  int max_level(std::size_t n) const noexcept;

  // x[n] -> a, d[coefficient_count(n)]; a may be x.
  void forward(const T* x, std::size_t n, T* a, T* d, TransformScratch<T>& scratch) const;
  // a, d[m] -> x[sample_count(m)]; x may be neither a nor d.
  void inverse(const T* a, const T* d, std::size_t m, T* x, TransformScratch<T>& scratch) const;

 private:
  Boundary boundary_;
  std::size_t half_;
  std::vector<T> analysis_taps_, synthesis_taps_;
};

// Lengths of the coefficients of `level` levels from n samples: detail 1 first; the approximation is as long as the last.
template <class T>
std::vector<std::size_t> level_lengths(const Transform<T>& transform, std::size_t n, int level);

// coefficients = [a_L, d_L, ..., d_1], each rows x its length. level 0 copies x.
template <class T>
void wavedec(const Transform<T>& transform, Batch<const T> x, int level, const std::vector<Batch<T>>& coefficients,
             int threads);

// The inverse; an approximation one longer than the detail it meets loses its last sample.
// Throws std::invalid_argument where lengths do not fit. x is rows x waverec_length.
template <class T>
std::size_t waverec_length(const Transform<T>& transform, const std::vector<std::size_t>& lengths);
template <class T>
void waverec(const Transform<T>& transform, const std::vector<Batch<const T>>& coefficients, Batch<T> x, int threads);

}  // namespace rpsd
