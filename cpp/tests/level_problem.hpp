// SPDX-License-Identifier: MIT
// Random local level problems and their smoothing, for tests.
#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "rpsd/state_space.hpp"

constexpr unsigned kLevelSeed = 20261125;

struct LevelProblem {
  std::vector<double> y, seen, q, r;
};

struct LevelResult {
  std::vector<double> mean, variance, step_square;
  double log_likelihood = 0;

  explicit LevelResult(std::size_t n) : mean(n), variance(n), step_square(n) {}
  bool operator==(const LevelResult& other) const {
    return mean == other.mean && variance == other.variance && step_square == other.step_square &&
           log_likelihood == other.log_likelihood;
  }
};

// A walk under noise, with variances that vary by orders; some steps have variance zero, missing samples any value.
inline LevelProblem random_level(std::size_t n, double missing, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  LevelProblem p = {std::vector<double>(n), std::vector<double>(n, 1), std::vector<double>(n), std::vector<double>(n)};
  double level = 3 * normal(generator);
  for (std::size_t t = 0; t < n; ++t) {
    p.q[t] = uniform(generator) < 0.1 ? 0 : std::exp(normal(generator));
    p.r[t] = std::exp(2 * normal(generator));
    level += std::sqrt(p.q[t]) * normal(generator);
    p.y[t] = level + std::sqrt(p.r[t]) * normal(generator);
    if (t > 0 && uniform(generator) < missing) p.seen[t] = 0, p.y[t] = 1e6;
  }
  return p;
}

inline rpsd::LocalLevel view(const LevelProblem& p) {
  return {p.y.data(), p.seen.data(), p.q.data(), p.r.data(), p.y.size()};
}

inline std::vector<LevelResult> smoothed(const std::vector<LevelProblem>& problems) {
  std::vector<LevelResult> results;
  std::vector<rpsd::LocalLevel> in;
  std::vector<rpsd::Smoothed> out;
  std::vector<double> likelihoods(problems.size());
  results.reserve(problems.size());
  for (const auto& problem : problems) {
    results.emplace_back(problem.y.size());
    in.push_back(view(problem));
    out.push_back({results.back().mean.data(), results.back().variance.data(), results.back().step_square.data()});
  }
  rpsd::smooth(in.data(), out.data(), in.size(), likelihoods.data());
  for (std::size_t i = 0; i < in.size(); ++i) results[i].log_likelihood = likelihoods[i];
  return results;
}

inline std::vector<double> log_likelihoods(const std::vector<LevelProblem>& problems) {
  std::vector<rpsd::LocalLevel> in;
  for (const auto& problem : problems) in.push_back(view(problem));
  std::vector<double> out(in.size());
  rpsd::log_likelihood(in.data(), in.size(), out.data());
  return out;
}
