// SPDX-License-Identifier: MIT
// A series of prices made ready for its model, and what is known of it on the way (denoise_price.cpp).
#pragma once

#include <cstddef>

#include "rpsd/denoise_price.hpp"
#include "rpsd/noise_test.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

// One series, in units of its own steps, without its missing ends.
struct Work {
  std::size_t begin = 0, n = 0, seen = 0;
  std::size_t head = 0, tail = 0;  // left out at either end: a sample that stands apart, and missing ones next to it
  double centre = 0, scale = 0, precision = 0;
  bool still = false;         // it hardly moves
  bool repeats = false;       // most prices repeat the one before
  std::size_t cleaned = 0;    // bad ticks that count as missing
  const double* x = nullptr;  // as it came, from begin on
  double doubt = 0;           // added to the errors' variance by what is not known of scales
  double wavelet_gain_db = 0;  // predicted, where wavelets have most of the say
  double *y, *available, *spike, *mean, *variance, *step_square, *q, *r;
  NoiseTest test;
  PriceReport* report = nullptr;
};

struct SeriesScratch {
  Buffer<double> arrays, selection;
};

// Missing ends away, gaps filled by lines, in units of a typical step. False where there is nothing to fit.
bool prepare(const double* x, std::size_t n, std::size_t least, double precision, SeriesScratch& scratch, Work& work);

// Leaves out a first and a last sample that stand apart from those next to them: nothing beyond tells a bad tick from a
// move that stays, and the first one of a filter spoils the fit. least: samples that must be left.
void leave_ends(std::size_t least, Work& work) noexcept;

// Marks what looks like a bad tick; clean: takes it for missing. x[0..n): as it came, with infinite bad ticks.
void find_spikes(const double* x, std::size_t n, Work& work, bool clean, SeriesScratch& scratch);

}  // namespace rpsd
