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

// A filter bank and a boundary, ready for the kernels. Immutable.
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

  Boundary boundary() const noexcept { return boundary_; }
  // True where one end of a signal goes on with the other.
  bool wraps() const noexcept { return boundary_ == Boundary::periodic || boundary_ == Boundary::periodization; }
  // Samples before the signal that its first coefficient reads; coefficient i reads 2 i - lead .. 2 i - lead + taps - 1.
  std::size_t lead() const noexcept { return boundary_ == Boundary::periodization ? half_ - 1 : 2 * half_ - 2; }
  // In the kernels' order.
  const T* analysis_taps() const noexcept { return analysis_taps_.data(); }
  const T* synthesis_taps() const noexcept { return synthesis_taps_.data(); }

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

// The inverse; an approximation one longer than the detail it meets loses its last sample. fits: whether the lengths do.
// waverec_length throws std::invalid_argument where lengths do not fit. x is rows x waverec_length.
template <class T>
bool fits(const Transform<T>& transform, const std::vector<std::size_t>& lengths) noexcept;
template <class T>
std::size_t waverec_length(const Transform<T>& transform, const std::vector<std::size_t>& lengths);
template <class T>
void waverec(const Transform<T>& transform, const std::vector<Batch<const T>>& coefficients, Batch<T> x, int threads);

}  // namespace rpsd
