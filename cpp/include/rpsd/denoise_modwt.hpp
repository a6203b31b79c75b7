// SPDX-License-Identifier: MIT
// Translation-invariant shrinkage (Coifman & Donoho 1995) in the maximal overlap transform.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "rpsd/local_noise.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/options.hpp"
#include "rpsd/threshold_selection.hpp"

namespace rpsd {

template <class T>
struct ModwtShrinkageScratch {
  ModwtScratch<T> transform;
  Buffer<T> coefficients, doubled, kept, selection, output;
  Buffer<double> energies, blocks;
  std::vector<LevelDetails<T>> levels;
  std::vector<LevelShrinkage> shrinkages;
  LocalNoise local;
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

  // The noise level of the series from its finest details, where it is not given; false where it is rounding.
  bool estimate(const Series& series, const T* finest, double& noise_sd, ModwtShrinkageScratch<T>& scratch) const;
  // scratch.shrinkages, from the n kept details of each level, which may be null where the options do not need them,
  // and the mean of their squares.
  void select(const Series& series, const T* const* details, const PerLevel& mean_squares, double noise_sd, int threads,
              ModwtShrinkageScratch<T>& scratch) const;
  void weigh(const Series& series, std::size_t period, int j, bool divide, T* row, const LocalNoise& local) const;
  bool whole(const Series& series, T* y, double& noise_sd, int threads, ModwtShrinkageScratch<T>& scratch) const;
  bool blocked(const Series& series, T* y, double& noise_sd, int threads, ModwtShrinkageScratch<T>& scratch) const;

  Options options_;
  ModwtBoundary boundary_;
  Modwt<T> transform_;
};

}  // namespace rpsd
