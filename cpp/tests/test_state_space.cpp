// SPDX-License-Identifier: MIT
// The local level recursions against conditioning of the joint Gaussian (Cholesky) and textbook filters.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "check.hpp"
#include "level_problem.hpp"
#include "rpsd/state_space.hpp"

namespace {

constexpr double kLog2Pi = 1.8378770664093453;

bool close(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance * (1 + std::abs(b)); }

// In place, of the lower triangle of a[n x n].
void cholesky(std::vector<double>& a, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
}

std::vector<double> forward(const std::vector<double>& lower, std::size_t n, std::vector<double> b) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= lower[i * n + k] * b[k];
    b[i] /= lower[i * n + i];
  }
  return b;
}

// The joint Gaussian of all levels, conditioned on the samples after the first.
LevelResult by_conditioning(const LevelProblem& p) {
  const std::size_t n = p.y.size();
  std::vector<double> prior(n, p.r[0]);  // of the levels: cov(x[i], x[j]) = prior[min(i, j)]
  std::vector<std::size_t> at;
  for (std::size_t t = 1; t < n; ++t) {
    prior[t] = prior[t - 1] + p.q[t];
    if (p.seen[t] > 0) at.push_back(t);
  }
  const std::size_t m = at.size();
  std::vector<double> lower(m * m), surprise(m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) lower[i * m + j] = prior[std::min(at[i], at[j])] + (i == j ? p.r[at[i]] : 0);
    surprise[i] = p.y[at[i]] - p.y[0];
  }
  cholesky(lower, m);
  const auto white = forward(lower, m, surprise);
  LevelResult out(n);
  for (std::size_t i = 0; i < m; ++i)
    out.log_likelihood -= 0.5 * (kLog2Pi + white[i] * white[i]) + std::log(lower[i * m + i]);
  std::vector<std::vector<double>> rows(n);
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  };
  for (std::size_t t = 0; t < n; ++t) {
    std::vector<double> cross(m);
    for (std::size_t i = 0; i < m; ++i) cross[i] = prior[std::min(t, at[i])];
    rows[t] = forward(lower, m, cross);
    out.mean[t] = p.y[0] + dot(rows[t], white);
    out.variance[t] = prior[t] - dot(rows[t], rows[t]);
    if (t == 0) continue;
    const double step = out.mean[t] - out.mean[t - 1], shared = prior[t - 1] - dot(rows[t], rows[t - 1]);
    out.step_square[t] = step * step + out.variance[t] + out.variance[t - 1] - 2 * shared;
  }
  return out;
}

void check_against_conditioning() {
  std::mt19937_64 generator(kLevelSeed);
  for (std::size_t n = 1; n <= 40; ++n)
    for (const double missing : {0.0, 0.3, 1.0}) {
      const LevelProblem problem = random_level(n, missing, generator);
      const LevelResult expected = by_conditioning(problem), got = smoothed({problem})[0];
      CHECK(close(got.log_likelihood, expected.log_likelihood, 1e-10));
      CHECK(got.step_square[0] == 0);
      for (std::size_t t = 0; t < n; ++t) {
        CHECK(close(got.mean[t], expected.mean[t], 1e-10));
        CHECK(close(got.variance[t], expected.variance[t], 1e-10));
        CHECK(close(got.step_square[t], expected.step_square[t], 1e-9));
      }
    }
}

// A textbook filter and smoother in plain loops; longer than the segments that the core keeps.
void check_long() {
  std::mt19937_64 generator(kLevelSeed + 1);
  for (const std::size_t n : {4096, 4097, 10000}) {
    const LevelProblem p = random_level(n, 0.2, generator);
    std::vector<double> mean(n, p.y[0]), variance(n, p.r[0]), predicted(n);
    for (std::size_t t = 1; t < n; ++t) {
      predicted[t] = variance[t - 1] + p.q[t];
      const double gain = p.seen[t] > 0 ? predicted[t] / (predicted[t] + p.r[t]) : 0;
      mean[t] = mean[t - 1] + gain * (p.y[t] - mean[t - 1]);
      variance[t] = (1 - gain) * predicted[t];
    }
    for (std::size_t t = n - 1; t-- > 0;) {
      const double j = variance[t] / predicted[t + 1];
      mean[t] += j * (mean[t + 1] - mean[t]);
      variance[t] += j * j * (variance[t + 1] - predicted[t + 1]);
    }
    const LevelResult got = smoothed({p})[0];
    for (std::size_t t = 0; t < n; ++t) CHECK(close(got.mean[t], mean[t], 1e-11) && close(got.variance[t], variance[t], 1e-11));
  }
}

// One problem gives the same bits alone and beside any others.
void check_bundles() {
  std::mt19937_64 generator(kLevelSeed + 2);
  for (const std::size_t n : {1, 2, 31, 33, 100}) {
    std::vector<LevelProblem> problems;
    for (int i = 0; i < 19; ++i) problems.push_back(random_level(n, 0.1 * (i % 4), generator));
    std::vector<LevelResult> alone;
    for (const auto& problem : problems) alone.push_back(smoothed({problem})[0]);
    for (std::size_t count = 1; count <= problems.size(); ++count) {
      const std::vector<LevelProblem> some(problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(count));
      const auto together = smoothed(some);
      const auto likelihoods = log_likelihoods(some);
      for (std::size_t i = 0; i < count; ++i)
        CHECK(together[i] == alone[i] && likelihoods[i] == alone[i].log_likelihood);
    }
  }
}

// log sum over pairs of scales, each with its own maximum taken out.
double textbook_mixture(const LevelProblem& p, const std::vector<double>& steps, const std::vector<double>& noises) {
  std::vector<double> first;
  for (std::size_t t = 0; t < p.y.size() && first.size() < 5; ++t)
    if (p.seen[t] > 0) first.push_back(p.y[t]);
  std::sort(first.begin(), first.end());
  double mean = first[first.size() / 2], variance = 100, total = 0;
  for (std::size_t t = 0; t < p.y.size(); ++t) {
    std::vector<double> logs, gains, noise;
    double grown = 0;
    for (std::size_t k = 0; k < steps.size(); ++k) {
      const double q = t == 0 ? 0 : p.q[t] * std::pow(4.0, static_cast<double>(k));
      grown += steps[k] * q;
      for (std::size_t l = 0; l < noises.size(); ++l) {
        if (steps[k] == 0 || noises[l] == 0) continue;
        const double r = p.r[t] * std::pow(4.0, static_cast<double>(l)), f = variance + q + r, e = p.y[t] - mean;
        logs.push_back(std::log(steps[k] * noises[l]) - 0.5 * (kLog2Pi + std::log(f) + e * e / f));
        gains.push_back((variance + q) / f);
        noise.push_back(r);
      }
    }
    if (!(p.seen[t] > 0)) {
      variance += grown;
      continue;
    }
    const double top = *std::max_element(logs.begin(), logs.end()), e = p.y[t] - mean;
    double sum = 0, gain = 0, square = 0;
    for (std::size_t i = 0; i < logs.size(); ++i) {
      const double weight = std::exp(logs[i] - top);
      sum += weight;
      gain += weight * gains[i];
      square += weight * (gains[i] * noise[i] + gains[i] * gains[i] * e * e);
    }
    mean += gain / sum * e;
    variance = square / sum - gain / sum * e * (gain / sum) * e;
    total += top + std::log(sum);
  }
  return total;
}

void check_mixtures() {
  std::mt19937_64 generator(kLevelSeed + 3);
  const std::vector<std::vector<double>> steps = {{1, 0, 0, 0, 0, 0}, {.9, .05, 0, .05, 0, 0}, {.8, .1, .04, .03, .02, .01}};
  const std::vector<std::vector<double>> noises = {
      {1, 0, 0, 0, 0, 0, 0, 0}, {.9, 0, .1, 0, 0, 0, 0, 0}, {.5, .2, .1, .1, .04, .03, .02, .01}};
  std::vector<LevelProblem> problems;
  for (int i = 0; i < 11; ++i) problems.push_back(random_level(90, 0.1, generator));
  problems[4].y[50] += 1e4;  // far from every scale
  std::vector<rpsd::ScaleMixture> mixtures;
  for (std::size_t i = 0; i < problems.size(); ++i)
    mixtures.push_back({view(problems[i]), steps[i % 3].data(), noises[i % 2 + (i % 5 == 0)].data()});
  std::vector<double> together(problems.size());
  rpsd::mixture_log_likelihood(mixtures.data(), mixtures.size(), together.data());
  for (std::size_t i = 0; i < problems.size(); ++i) {
    double alone;
    rpsd::mixture_log_likelihood(&mixtures[i], 1, &alone);
    CHECK(together[i] == alone);
    CHECK(close(alone, textbook_mixture(problems[i], steps[i % 3], noises[i % 2 + (i % 5 == 0)]), 1e-9));
  }
}

}  // namespace

int main() {
  check_against_conditioning();
  check_long();
  check_bundles();
  check_mixtures();
  return failed();
}
