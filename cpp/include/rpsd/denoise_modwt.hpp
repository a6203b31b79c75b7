// SPDX-License-Identifier: MIT
// Translation-invariant shrinkage (Coifman & Donoho 1995) in the maximal overlap transform.
#pragma once

#include <array>
#include <cstddef>

#include "rpsd/modwt.hpp"
#include "rpsd/options.hpp"

namespace rpsd {

template <class T>
struct ModwtShrinkageScratch {
  ModwtScratch<T> transform;
  Buffer<T> coefficients, doubled, kept, selection, output;
  Buffer<double> energies;
};

// Transform, thresholds for each level, shrink, inverse. Immutable; may be shared by threads that bring their own scratch.
template <class T>
class ModwtShrinkage {
 public:
  // Throws std::invalid_argument where options.boundary is neither symmetric nor periodic.
  explicit ModwtShrinkage(const Options& options);

  // x[n] -> y, which may be x; false where the noise found (MAD) is no more than rounding, and y has then not been
  // written. energy: the sum of squares of x. noise_sd: in where the options give it, else out. n, level >= 1, finite x.
  bool operator()(const T* x, std::size_t n, int level, double energy, T* y, double& noise_sd, int threads,
                  ModwtShrinkageScratch<T>& scratch) const;

 private:
  using PerLevel = std::array<double, kMaxModwtLevel + 1>;

  struct Series;

  // From the n kept details of each level, which may be null where the options do not need them, and the mean of
  // their squares. False where the noise is rounding.
  bool thresholds(const Series& series, const T* const* details, const PerLevel& mean_squares, double& noise_sd,
                  ModwtShrinkageScratch<T>& scratch, PerLevel& found) const;
  bool whole(const Series& series, T* y, double& noise_sd, ModwtShrinkageScratch<T>& scratch) const;
  bool blocked(const Series& series, T* y, double& noise_sd, int threads, ModwtShrinkageScratch<T>& scratch) const;

  Options options_;
  ModwtBoundary boundary_;
  Modwt<T> transform_;
};

}  // namespace rpsd
