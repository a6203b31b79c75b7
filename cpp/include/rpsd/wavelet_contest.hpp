// SPDX-License-Identifier: MIT
// Is a series a random walk at all? Smooth or spiky signals are told better by wavelets: both estimates are made, and
// averaged by what unbiased estimates of their risk say.
#pragma once

#include <array>
#include <cstddef>

#include "rpsd/modwt.hpp"
#include "rpsd/view.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd {

struct WaveletContestScratch {
  ModwtScratch<double> transform;
  Buffer<double> doubled, coefficients, shrunk, selection, odds, estimates;
};

// The smoother's side of the contest. What it says of samples it left out is not held against it.
struct Smoother {
  const double* mean;
  const double* left_out;  // 1 or 0 for each sample
  double noise_sd;
  double risk;  // its mean error variance as its model predicts it, in units of the noise's variance
};

struct ContestResult {
  double share;  // of the wavelets in the average, 0 to 1
  double risk;   // of the average, estimated, in units of noise_sd^2
  int level;     // of the wavelets
};

// Two wavelets, the one given for what is smooth and Haar's for what jumps; translation-invariant (Coifman & Donoho
// 1995), each level shrunk to its empirical Bayes posterior mean (Johnstone & Silverman 2005). Immutable.
class WaveletContest {
 public:
  explicit WaveletContest(const FilterBank& smooth);

  // n samples that an average is worth making for.
  static bool is_for(std::size_t n) noexcept;

  // y[0..n), finite, beside the smoother's estimate -> the average, in out, which may be the smoother's mean.
  ContestResult run(const double* y, std::size_t n, const Smoother& smoother, double* out,
                    WaveletContestScratch& scratch) const;

 private:
  // In units of the noise's variance: the risk by Stein's unbiased estimate, and the mean posterior variance.
  struct Risk {
    double unbiased, posterior;
  };

  // The estimate under a noise of this standard deviation. coefficients: of the series and its mirror.
  Risk estimate(const Modwt<double>& transform, const double* y, std::size_t n, int level, const double* coefficients,
                  double noise_sd, double* out, WaveletContestScratch& scratch) const;

  // Of the better of the two wavelets, decimated; in units of the noise's variance.
  double decimated_risk(const double* y, std::size_t n, int level, double noise_sd,
                        WaveletContestScratch& scratch) const;

  std::array<Modwt<double>, 2> transforms_;
  std::array<Transform<double>, 2> decimated_;
};

}  // namespace rpsd
