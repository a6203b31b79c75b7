// SPDX-License-Identifier: MIT
// Maximum likelihood of the local level model: at the top of the likelihood, wherever the series lies, alone or bundled.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "level_problem.hpp"
#include "rpsd/state_space.hpp"

namespace {

struct Series {
  std::vector<double> y, seen, steps, noises;

  rpsd::LevelData data() const { return {y.data(), seen.data(), steps.data(), noises.data(), y.size()}; }
};

Series random_series(std::size_t n, double noise, double missing, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Series s = {std::vector<double>(n), std::vector<double>(n, 1), std::vector<double>(n), std::vector<double>(n)};
  double level = 0;
  for (std::size_t t = 0; t < n; ++t) {
    s.steps[t] = std::exp(0.5 * normal(generator));
    s.noises[t] = std::exp(0.5 * normal(generator));
    level += std::sqrt(s.steps[t]) * normal(generator);
    s.y[t] = level + noise * std::sqrt(s.noises[t]) * normal(generator);
    if (t > 0 && uniform(generator) < missing) s.seen[t] = 0, s.y[t] = 1e5;
  }
  return s;
}

rpsd::LevelFit fit(const rpsd::LevelData& data) {
  rpsd::LevelFit result;
  rpsd::fit_local_level(&data, &result, 1);
  return result;
}

// By the filter alone, which test_state_space checks.
double likelihood(const Series& s, double noise_variance, double step_variance) {
  LevelProblem p = {s.y, s.seen, s.steps, s.noises};
  for (double& q : p.q) q *= step_variance;
  for (double& r : p.r) r *= noise_variance;
  return log_likelihoods({p})[0];
}

// No place of a fine grid around lies higher, and the value is that of the filter.
void check_top(const Series& s) {
  const auto top = fit(s.data());
  const double here = likelihood(s, top.noise_variance, top.step_variance);
  CHECK(std::abs(here - top.log_likelihood) < 1e-9 * (1 + std::abs(here)));
  const double slack = 1e-9 * (1 + std::abs(here)), ratio = std::log(top.noise_variance / top.step_variance);
  CHECK(ratio >= -12.000001 && ratio <= 12.000001);
  for (const double by : {1e-3, 0.1, 1.0})
    for (const double sign : {-1.0, 1.0}) {
      const double factor = std::exp(sign * by);
      CHECK(likelihood(s, top.noise_variance * factor, top.step_variance * factor) < here + slack);
      if (std::abs(ratio + sign * by) <= 12)
        CHECK(likelihood(s, top.noise_variance * factor, top.step_variance) < here + slack);
      if (std::abs(ratio - sign * by) <= 12)
        CHECK(likelihood(s, top.noise_variance, top.step_variance * factor) < here + slack);
    }
  // Everywhere else on the way, at its best scale.
  for (double other = -12; other <= 12; other += 0.25) {
    const double at = std::exp(other);
    double scale = top.step_variance;
    for (int turn = 0; turn < 3; ++turn) {
      // d/d scale of the likelihood is zero where the mean of e^2 / F is one: from two evaluations, as it is N log + S.
      const double a = likelihood(s, at * scale, scale), b = likelihood(s, 4 * at * scale, 4 * scale);
      const double n = static_cast<double>(std::count(s.seen.begin(), s.seen.end(), 1.0) - 1);
      scale *= (b - a + n * std::log(2.0)) / 0.375 / n;
    }
    CHECK(likelihood(s, at * scale, scale) < here + slack);
  }
}

void check_tops() {
  std::mt19937_64 generator(kLevelSeed);
  for (const std::size_t n : {3, 10, 60, 500})
    for (const double noise : {0.0, 0.3, 2.0, 300.0})
      for (const double missing : {0.0, 0.3}) check_top(random_series(n, noise, missing, generator));
}

void check_bundles() {
  std::mt19937_64 generator(kLevelSeed + 1);
  std::vector<Series> all;
  std::vector<rpsd::LevelData> data;
  for (int i = 0; i < 13; ++i) all.push_back(random_series(120, 0.2 * i, 0.1 * (i % 3), generator));
  for (const auto& s : all) data.push_back(s.data());
  data[3].step_shape = nullptr;
  data[4].noise_shape = nullptr;
  std::vector<rpsd::LevelFit> together(all.size());
  rpsd::fit_local_level(data.data(), together.data(), data.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto alone = fit(data[i]);
    CHECK(alone.noise_variance == together[i].noise_variance && alone.step_variance == together[i].step_variance);
    CHECK(alone.log_likelihood == together[i].log_likelihood);
    CHECK(alone.log_likelihood_no_noise == together[i].log_likelihood_no_noise);
  }
}

// x -> a x + b changes the fit by the rounding of its samples alone.
void check_units() {
  std::mt19937_64 generator(kLevelSeed + 2);
  for (const double noise : {0.1, 1.0, 10.0}) {
    const Series s = random_series(700, noise, 0.1, generator);
    const auto fitted = fit(s.data());
    for (const double scale : {0.037, 812.5})
      for (const double offset : {0.0, 1000.0}) {
        Series moved = s;
        for (double& v : moved.y) v = scale * v + offset;
        const auto other = fit(moved.data());
        CHECK(std::abs(other.noise_variance / (scale * scale * fitted.noise_variance) - 1) < 1e-9);
        CHECK(std::abs(other.step_variance / (scale * scale * fitted.step_variance) - 1) < 1e-9);
      }
    // By a power of two, the same bits.
    Series doubled = s;
    for (double& v : doubled.y) v *= 2;
    CHECK(fit(doubled.data()).noise_variance == 4 * fitted.noise_variance);
  }
}

// Nothing to fit: all samples equal, one sample, one that is seen.
void check_empty() {
  std::mt19937_64 generator(kLevelSeed + 3);
  Series s = random_series(50, 1, 0, generator);
  std::fill(s.y.begin(), s.y.end(), 7.25);
  Series one = random_series(1, 1, 0, generator), lone = random_series(50, 1, 1, generator);
  for (const Series* series : {&s, &one, &lone}) {
    const auto result = fit(series->data());
    CHECK(result.noise_variance == 0 && result.step_variance == 0);
    CHECK(result.log_likelihood == 0 && result.log_likelihood_no_noise == 0);
  }
}

}  // namespace

int main() {
  check_tops();
  check_bundles();
  check_units();
  check_empty();
  return failed();
}
