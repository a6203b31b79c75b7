// SPDX-License-Identifier: MIT
// The denoiser's options, fully decided: "auto" has been resolved before they get here, but for the level.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rpsd/fir.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd {

enum class Method { automatic, wavelet, kalman };
enum class TransformKind { dwt, modwt };
enum class ThresholdMode { none, bayes, universal, sure, hybrid, minimax, fdr, blockjs, neighblock, ebayes, wiener };
// linear is the rule of wiener, and no word of the option.
enum class ThresholdRule { soft, hard, garrote, firm, scad, posterior_median, posterior_mean, linear };
enum class Prior { cauchy, laplace };  // of ebayes
enum class Noise { mad, level, local, given, price };
enum class Missing { interpolate, raise };
enum class Outliers { none, spike };
enum class Space { price, log };

constexpr int kAutoLevel = -1;

struct Options {
  Method method = Method::wavelet;
  FilterBank bank;
  TransformKind transform = TransformKind::dwt;
  Boundary boundary = Boundary::symmetric;
  int level = kAutoLevel;
  ThresholdMode threshold_mode = ThresholdMode::bayes;
  ThresholdRule threshold_rule = ThresholdRule::soft;
  double threshold_scale = 1.0;
  Prior prior = Prior::cauchy;
  Noise noise = Noise::mad;
  double noise_sd = 0.0;          // where noise is given
  std::vector<double> fir_taps;   // empty: no FIR
  double min_gain_db = 0.0;
  Missing missing = Missing::interpolate;
  Outliers outliers = Outliers::none;
  Space space = Space::price;
};

// The word for each value, as users write it; std::invalid_argument names the argument and what is allowed.
Method parse_method(const std::string& word);
Boundary parse_boundary(const std::string& word);
FirMode parse_fir_mode(const std::string& word);
TransformKind parse_transform(const std::string& word);
ThresholdMode parse_threshold_mode(const std::string& word);
ThresholdRule parse_threshold_rule(const std::string& word);
Prior parse_prior(const std::string& word);
Noise parse_noise(const std::string& word);
Missing parse_missing(const std::string& word);
Outliers parse_outliers(const std::string& word);
Space parse_space(const std::string& word);

}  // namespace rpsd
