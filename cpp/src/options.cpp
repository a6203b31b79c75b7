// SPDX-License-Identifier: MIT
#include "rpsd/options.hpp"

#include <initializer_list>
#include <stdexcept>
#include <utility>

namespace rpsd {
namespace {

template <class E>
E parse(const char* argument, const std::string& word, std::initializer_list<std::pair<const char*, E>> words) {
  std::string allowed;
  for (const auto& [name, value] : words) {
    if (word == name) return value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  throw std::invalid_argument(std::string(argument) + " must be one of " + allowed + ", got \"" + word + "\"");
}

}  // namespace

Method parse_method(const std::string& word) {
  return parse<Method>("method", word,
                       {{"auto", Method::automatic}, {"wavelet", Method::wavelet}, {"kalman", Method::kalman}});
}

Boundary parse_boundary(const std::string& word) {
  return parse<Boundary>("boundary", word,
                         {{"symmetric", Boundary::symmetric},
                          {"reflect", Boundary::reflect},
                          {"antisymmetric", Boundary::antisymmetric},
                          {"antireflect", Boundary::antireflect},
                          {"periodic", Boundary::periodic},
                          {"periodization", Boundary::periodization},
                          {"smooth", Boundary::smooth},
                          {"constant", Boundary::constant},
                          {"zero", Boundary::zero}});
}

FirMode parse_fir_mode(const std::string& word) {
  return parse<FirMode>("mode", word,
                        {{"zero_phase", FirMode::zero_phase}, {"causal", FirMode::causal}, {"same", FirMode::same}});
}

TransformKind parse_transform(const std::string& word) {
  return parse<TransformKind>("transform", word, {{"dwt", TransformKind::dwt}, {"modwt", TransformKind::modwt}});
}

ThresholdMode parse_threshold_mode(const std::string& word) {
  return parse<ThresholdMode>(
      "threshold_mode", word,
      {{"bayes", ThresholdMode::bayes},
       {"universal", ThresholdMode::universal},
       {"sure", ThresholdMode::sure},
       {"hybrid", ThresholdMode::hybrid},
       {"minimax", ThresholdMode::minimax},
       {"fdr", ThresholdMode::fdr},
       {"blockjs", ThresholdMode::blockjs},
       {"neighblock", ThresholdMode::neighblock},
       {"ebayes", ThresholdMode::ebayes},
       {"wiener", ThresholdMode::wiener},
       {"none", ThresholdMode::none}});
}

ThresholdRule parse_threshold_rule(const std::string& word) {
  return parse<ThresholdRule>("threshold_rule", word,
                              {{"soft", ThresholdRule::soft},
                               {"hard", ThresholdRule::hard},
                               {"garrote", ThresholdRule::garrote},
                               {"firm", ThresholdRule::firm},
                               {"scad", ThresholdRule::scad},
                               {"posterior_median", ThresholdRule::posterior_median},
                               {"posterior_mean", ThresholdRule::posterior_mean}});
}

Prior parse_prior(const std::string& word) {
  return parse<Prior>("prior", word, {{"cauchy", Prior::cauchy}, {"laplace", Prior::laplace}});
}

Noise parse_noise(const std::string& word) {
  return parse<Noise>("noise", word,
                      {{"mad", Noise::mad},
                       {"level", Noise::level},
                       {"local", Noise::local},
                       {"given", Noise::given},
                       {"price", Noise::price}});
}

Missing parse_missing(const std::string& word) {
  return parse<Missing>("missing", word, {{"interpolate", Missing::interpolate}, {"raise", Missing::raise}});
}

Outliers parse_outliers(const std::string& word) {
  return parse<Outliers>("outliers", word, {{"none", Outliers::none}, {"spike", Outliers::spike}});
}

Space parse_space(const std::string& word) {
  return parse<Space>("space", word, {{"price", Space::price}, {"log", Space::log}});
}

}  // namespace rpsd
