// SPDX-License-Identifier: MIT
// Maximal overlap discrete wavelet transform (Percival & Walden 2000, chapter 5) and its inverse.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rpsd/view.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd {

// periodic: the series repeats. symmetric: the series followed by its mirror repeats, and of each level's 2n
// coefficients those n are kept that stand over the series (docs/decisions/0007-modwt.md).
enum class ModwtBoundary { periodic, symmetric };

// The deepest level there can be: 2^64 samples would not fit any machine.
constexpr int kMaxModwtLevel = 64;

// One level's taps, (scaling, wavelet) pairs, and how many samples back each tap reads.
template <class T>
struct ModwtFilter {
  const T* taps;
  const std::size_t* offsets;
  std::size_t count;
};

template <class T>
struct ModwtScratch {
  Buffer<T> level[2], ends[2];
  std::vector<std::size_t> offsets;
};

// The transform of a periodic series. Immutable; may be shared by threads that bring their own scratch.
template <class T>
class Modwt {
 public:
  // inverse undoes forward; transpose is forward's adjoint, the same thing for an orthogonal wavelet.
  enum class Back { inverse, transpose };

  explicit Modwt(const FilterBank& bank);

  std::size_t taps() const noexcept { return analysis_taps_.size() / 2; }
  const T* analysis_taps() const noexcept { return analysis_taps_.data(); }
  const T* synthesis_taps() const noexcept { return synthesis_taps_.data(); }

  // Samples before t that the coefficients at t of this level reach: (taps - 1)(2^level - 1), or limit if that is less.
  std::size_t reach(int level, std::size_t limit) const noexcept;

  // By how many samples the centre of energy of a level's filter lags, modulo period.
  std::size_t detail_lag(int level, std::size_t period) const noexcept;
  std::size_t smooth_lag(int level, std::size_t period) const noexcept;

  // x[n] -> level + 1 rows of n coefficients: V_J, W_J .. W_1; n >= 1.
  void forward(const T* x, std::size_t n, int level, T* coeffs, ModwtScratch<T>& scratch) const;
  void inverse(const T* coeffs, std::size_t n, int level, T* x, ModwtScratch<T>& scratch,
               Back back = Back::inverse) const;

 private:
  void down(const T* x, std::size_t n, T* v, T* w, ModwtScratch<T>& scratch) const;
  void up(const T* v, const T* w, std::size_t n, const T* taps, T* x, ModwtScratch<T>& scratch) const;

  std::vector<T> analysis_taps_, synthesis_taps_;
  double smooth_centre_, detail_centre_;
};

// The symmetric transform of one series; n >= 1. Buffers: doubled, the mirrored series; all, its coefficients.
template <class T>
void symmetric_modwt(const Modwt<T>& transform, const T* x, std::size_t n, int level, T* coeffs, Buffer<T>& doubled,
                     Buffer<T>& all, ModwtScratch<T>& scratch);
// Its inverse: exact on what it gives, least squares at the ends for other coefficients.
void symmetric_imodwt(const Modwt<double>& transform, const double* coeffs, std::size_t n, int level, double* x);

// x: series of n >= 1 samples; coeffs: level + 1 rows for each.
template <class T>
void modwt(const FilterBank& bank, ModwtBoundary boundary, int level, Batch<const T> x, Batch<T> coeffs, int threads);
template <class T>
void imodwt(const FilterBank& bank, ModwtBoundary boundary, int level, Batch<const T> coeffs, Batch<T> x, int threads);

// std::invalid_argument names the argument and what is allowed.
ModwtBoundary parse_modwt_boundary(const std::string& word);

}  // namespace rpsd
