// SPDX-License-Identifier: MIT
// Is there noise in a price series at all, and how much of what was fitted should be believed?
#pragma once

#include <cstddef>

#include "rpsd/price_model.hpp"
#include "rpsd/sign_test.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

struct NoiseTestScratch {
  Buffer<double> arrays;
  SignTestScratch signs;
};

// With the shapes of a fitted model held: step_shape[t] = q / step variance, noise_shape[t] = r / noise variance,
// outlier[t] 1 where a sample is set aside; the three live in the scratch.
struct NoiseTest {
  double noise_variance = 0;    // by maximum likelihood
  double step_variance = 0;
  double z = 0;                 // how sure the noise is, in standard normal units
  double believed = 0;          // factor on the noise variance when smoothing; 0: no noise is found
  double gain_offset_db = 0;    // of what is expected, over what the model with the believed noise predicts
  double gain_probability = 0;  // P(gain > 0)
  double* step_shape = nullptr;
  double* noise_shape = nullptr;
  double* outlier = nullptr;
  std::size_t outliers = 0;
};

// Tests count fitted models of one length.
void test_noise(const PriceSeries* series, const PriceModel* models, std::size_t count, NoiseTest* tests,
                NoiseTestScratch* scratch);

}  // namespace rpsd
