// SPDX-License-Identifier: MIT
// Options of the core as a fuzzer's bytes choose them, of the combinations that the Python layer lets through.
#pragma once

#include "../tests/orthogonal.hpp"
#include "bytes.hpp"
#include "rpsd/options.hpp"

inline rpsd::Options chosen_options(Bytes& bytes) {
  using namespace rpsd;
  const double half = std::sqrt(0.5), r = std::sqrt(3.0), s = 4 * std::sqrt(2.0);
  Options options;
  // Haar, and Daubechies (1992), section 6.4.
  options.bank = bytes.below(2) == 0 ? orthogonal({half, half})
                                     : orthogonal({(1 + r) / s, (3 + r) / s, (3 - r) / s, (1 - r) / s});
  options.method = static_cast<Method>(bytes.below(3));
  options.missing = static_cast<Missing>(bytes.below(2));
  options.outliers = static_cast<Outliers>(bytes.below(2));
  options.space = static_cast<Space>(bytes.below(2));
  if (options.method != Method::wavelet) {
    options.noise = Noise::price;
    return options;
  }
  options.transform = static_cast<TransformKind>(bytes.below(2));
  options.boundary = static_cast<Boundary>(bytes.below(9));
  options.level = static_cast<int>(bytes.below(8)) - 1;
  options.threshold_mode = static_cast<ThresholdMode>(bytes.below(11));
  options.threshold_rule = static_cast<ThresholdRule>(bytes.below(5));
  options.prior = static_cast<Prior>(bytes.below(2));
  switch (options.threshold_mode) {
    case ThresholdMode::ebayes:
      options.threshold_rule = bytes.below(2) == 0 ? ThresholdRule::posterior_median : ThresholdRule::posterior_mean;
      break;
    case ThresholdMode::wiener: options.threshold_rule = ThresholdRule::linear; break;
    case ThresholdMode::sure:
    case ThresholdMode::hybrid:
    case ThresholdMode::blockjs:
    case ThresholdMode::neighblock: options.threshold_rule = ThresholdRule::soft; break;
    default: break;
  }
  options.threshold_scale = static_cast<double>(bytes.below(32)) / 8;
  options.noise = static_cast<Noise>(bytes.below(4));
  if (options.noise == Noise::given) options.noise_sd = static_cast<double>(bytes.below(64)) / 64;
  if (const std::size_t taps = 2 * bytes.below(8); taps > 0) options.fir_taps.assign(taps + 1, 1 / (static_cast<double>(taps) + 1));
  return options;
}
