// SPDX-License-Identifier: MIT
// What a price series is made of: a random walk plus noise, with moving volatility, heavy steps and heavy noise where
// the data ask for them.
#pragma once

#include <array>
#include <cstddef>

#include "rpsd/innovations.hpp"
#include "rpsd/state_space.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

struct ModelParts {
  bool volatility = false;  // the variance of steps moves slowly
  bool steps = false;       // steps are a scale mixture: jumps
  bool noise = false;       // noise is a scale mixture: bad ticks

  bool gaussian() const noexcept { return !volatility && !steps && !noise; }
};

// var w[t] = q[t], var e[t] = r[t] as smoothing uses them; volatility[t] has mean 1.
struct PriceModel {
  ModelParts parts;
  double noise_variance = 0;
  double step_variance = 0;
  std::array<double, kStepScales> step_weights{};
  std::array<double, kNoiseScales> noise_weights{};
  double evidence = 0;  // predictive log likelihood less the penalties of its parts
  double* volatility = nullptr;
  double* q = nullptr;
  double* r = nullptr;
};

// One series in units of its own steps. y is finite everywhere, seen as in LocalLevel; spike[t] is 1 at samples that
// look like bad ticks (for starting values only), never at an end.
struct PriceSeries {
  const double* y;
  const double* seen;
  const double* spike;
  std::size_t n;
};

// Memory of the models of one series.
struct PriceModelScratch {
  Buffer<double> arrays;
  Innovations innovations;
};

// The Gaussian model by maximum likelihood and the model with the largest evidence, which may be the same one.
struct PriceFit {
  PriceModel gaussian;
  PriceModel best;
};

// Fits count series of n samples each; the arrays of the fits live in the scratch of the series.
void fit_price_models(const PriceSeries* series, std::size_t count, PriceFit* fits, PriceModelScratch* scratch);

}  // namespace rpsd
