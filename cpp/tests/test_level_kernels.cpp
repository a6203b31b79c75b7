// SPDX-License-Identifier: MIT
// The state-space kernels of every instruction set, on bundles of one to eight series of all lengths about a block's,
// against textbook recursions in extended precision.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "../src/level_lanes.hpp"
#include "check.hpp"
#include "level_problem.hpp"
#include "tables_here.hpp"

namespace {

using rpsd::kernels::kBundle;
using rpsd::kernels::StateSpaceTable;
using Long = long double;

constexpr Long kLn2 = 0.693147180559945309417232121458176568L;

bool close(double got, Long expected, double tolerance) {
  return std::abs(static_cast<Long>(got) - expected) <= static_cast<Long>(tolerance) * (1 + std::abs(expected));
}

Long at(double v) { return static_cast<Long>(v); }

struct Textbook {
  std::vector<Long> filtered, predicted_variance, filtered_variance, mean, variance;
  Long squares = 0, logs = 0;  // of e^2 / F and of log F
};

// Kalman's filter and the smoother of Rauch, Tung and Striebel; the noise variances are taken `ratio` times.
Textbook textbook(const LevelProblem& p, Long ratio) {
  const std::size_t n = p.y.size();
  Textbook b;
  b.filtered.assign(n, at(p.y[0]));
  b.filtered_variance.assign(n, ratio * at(p.r[0]));
  b.predicted_variance.assign(n, 0);
  for (std::size_t t = 1; t < n; ++t) {
    const Long before = b.filtered_variance[t - 1] + at(p.q[t]), f = before + ratio * at(p.r[t]), e = at(p.y[t]) - b.filtered[t - 1];
    const bool seen = p.seen[t] > 0;
    const Long gain = seen ? before / f : 0;
    b.predicted_variance[t] = before;
    b.filtered[t] = b.filtered[t - 1] + gain * e;
    b.filtered_variance[t] = (1 - gain) * before;
    if (seen) b.squares += e * e / f, b.logs += std::log(f);
  }
  b.mean = b.filtered;
  b.variance = b.filtered_variance;
  for (std::size_t t = n - 1; t-- > 0;) {
    const Long j = b.filtered_variance[t] / b.predicted_variance[t + 1];
    b.mean[t] += j * (b.mean[t + 1] - b.mean[t]);
    b.variance[t] += j * j * (b.variance[t + 1] - b.predicted_variance[t + 1]);
  }
  return b;
}

rpsd::kernels::LevelLanes lanes_of(const std::vector<LevelProblem>& problems, std::size_t count) {
  std::vector<rpsd::LocalLevel> views;
  for (const auto& problem : problems) views.push_back(view(problem));
  return rpsd::level_lanes(views.data(), count);
}

void check_smoother(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count) {
  const std::size_t n = problems[0].y.size();
  const auto lanes = lanes_of(problems, count);
  constexpr double kUntouched = -7;
  std::vector<double> kept(3 * kBundle * n), out(3 * kBundle * n, kUntouched);
  rpsd::kernels::SmoothedLanes to;
  for (std::size_t k = 0; k < kBundle; ++k) {
    to.mean[k] = &out[3 * k * n];
    to.variance[k] = to.mean[k] + n;
    to.step_square[k] = to.variance[k] + n;
  }
  rpsd::kernels::LevelState state = {}, likelihood = {};
  table.filter(lanes, 0, n, state, kept.data());
  table.likelihood(lanes, 0, n, likelihood);
  rpsd::kernels::SmootherState back = {};
  std::copy(state.mean, state.mean + kBundle, back.mean);
  std::copy(state.variance, state.variance + kBundle, back.variance);
  table.smooth(to, count, 0, n, n, back, kept.data());
  for (std::size_t k = 0; k < count; ++k) {
    const Textbook b = textbook(problems[k], 1);
    CHECK(close(state.mean[k], b.filtered[n - 1], 1e-12) && close(state.variance[k], b.filtered_variance[n - 1], 1e-12));
    for (const auto* s : {&state, &likelihood}) {
      CHECK(close(s->squares[k], b.squares, 1e-12));
      CHECK(close(std::log(s->mantissa[k]), b.logs - at(s->exponent[k]) * kLn2, 1e-10));
    }
    for (std::size_t t = 0; t < n; ++t) CHECK(close(to.mean[k][t], b.mean[t], 1e-12) && close(to.variance[k][t], b.variance[t], 1e-12));
    // Of consecutive levels the covariance is J times the variance of the later one.
    for (std::size_t t = 1; t < n; ++t) {
      const Long step = b.mean[t] - b.mean[t - 1], shared = b.filtered_variance[t - 1] / b.predicted_variance[t] * b.variance[t];
      CHECK(close(to.step_square[k][t], step * step + b.variance[t] + b.variance[t - 1] - 2 * shared, 1e-11));
    }
  }
  for (std::size_t i = 3 * count * n; i < out.size(); ++i) CHECK(out[i] == kUntouched);
}

// Derivatives as quotients of differences.
void check_profile(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count) {
  constexpr Long kStep = 1e-5L;
  rpsd::kernels::LevelProfile p;
  for (std::size_t k = 0; k < kBundle; ++k) p.ratio[k] = 0.05 * std::exp2(static_cast<double>(k));
  table.profile(lanes_of(problems, count), 0, problems[0].y.size(), p);
  for (std::size_t k = 0; k < count; ++k) {
    const Long ratio = at(p.ratio[k]);
    const Textbook b = textbook(problems[k], ratio);
    const Textbook up = textbook(problems[k], ratio * std::exp(kStep)), down = textbook(problems[k], ratio * std::exp(-kStep));
    const double scale = static_cast<double>(b.squares) + static_cast<double>(problems[0].y.size());
    CHECK(close(p.squares[k], b.squares, 1e-12));
    CHECK(close(std::log(p.mantissa[k]), b.logs - at(p.exponent[k]) * kLn2, 1e-10));
    CHECK(close(p.squares_slope[k], (up.squares - down.squares) / (2 * kStep), 1e-8 * scale));
    CHECK(close(p.logs_slope[k], (up.logs - down.logs) / (2 * kStep), 1e-8 * scale));
  }
}

// The Gaussians of all pairs of scales, written out; the log likelihood lacks n / 2 log(2 pi).
Long textbook_mixture(const LevelProblem& p, const rpsd::kernels::MixtureLanes& lanes, std::size_t lane, Long& mean, Long& variance) {
  Long total = 0;
  for (std::size_t t = 0; t < p.y.size(); ++t) {
    const Long q = t == 0 ? 0 : at(p.q[t]), e = at(p.y[t]) - mean;
    Long density = 0, gain = 0, second = 0, grown = 0;
    for (std::size_t k = 0; k < lanes.steps; ++k) {
      const Long before = variance + q * at(lanes.step_scale[k]), weight = at(lanes.step_weight[k][lane]);
      grown += weight * q * at(lanes.step_scale[k]);
      for (std::size_t l = 0; l < lanes.noises; ++l) {
        const Long r = at(p.r[t]) * at(lanes.noise_scale[l]), f = before + r, g = before / f;
        const Long share = weight * at(lanes.noise_weight[l][lane]) * std::exp(-e * e / (2 * f)) / std::sqrt(f);
        density += share;
        gain += share * g;
        second += share * (g * r + g * g * e * e);
      }
    }
    if (!(p.seen[t] > 0)) {
      variance += grown;
      continue;
    }
    gain /= density;
    total += std::log(density);
    mean += gain * e;
    variance = second / density - gain * e * gain * e;
  }
  return total;
}

void check_mixture(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count) {
  rpsd::kernels::MixtureLanes lanes = {};
  lanes.level = lanes_of(problems, count);
  lanes.steps = 3;
  lanes.noises = 2;
  for (std::size_t k = 0; k < 3; ++k) lanes.step_scale[k] = k == 2 ? 64 : static_cast<double>(1 + 3 * k);
  lanes.noise_scale[0] = 1;
  lanes.noise_scale[1] = 256;
  rpsd::kernels::MixtureState state = {};
  for (std::size_t k = 0; k < kBundle; ++k) {
    const bool narrow = k % 3 == 1;  // this lane has no weight on the widest scales
    const double steps[] = {0.7, narrow ? 0.3 : 0.2, narrow ? 0 : 0.1}, noises[] = {narrow ? 1 : 0.9, narrow ? 0 : 0.1};
    for (std::size_t i = 0; i < 3; ++i) lanes.step_weight[i][k] = steps[i], lanes.mean_step[k] += steps[i] * lanes.step_scale[i];
    for (std::size_t i = 0; i < 2; ++i) lanes.noise_weight[i][k] = noises[i];
    lanes.largest_step[k] = narrow ? 4 : 64;
    lanes.largest_noise[k] = narrow ? 1 : 256;
    state.mean[k] = problems[k].y[0];
    state.variance[k] = 100;
  }
  table.mixture(lanes, 0, problems[0].y.size(), state);
  for (std::size_t k = 0; k < count; ++k) {
    Long mean = at(problems[k].y[0]), variance = 100;
    const Long expected = textbook_mixture(problems[k], lanes, k, mean, variance);
    CHECK(close(std::log(state.mantissa[k]) - state.squares[k], expected - at(state.exponent[k]) * kLn2, 1e-10));
    CHECK(close(state.mean[k], mean, 1e-10) && close(state.variance[k], variance, 1e-9));
  }
}

// What a mixture of variances base 4^k says of d, the sum of N(0, v) and what is mixed.
template <std::size_t K>
struct Components {
  Long responsibility[K], narrow = 0, wide = 0, square = 0, doubt = 0;

  Components(Long v, Long d, Long base, const double* weights) {
    Long total = 0;
    for (std::size_t k = 0; k < K; ++k) {
      const Long s = base * std::exp2(2 * static_cast<Long>(k)), f = v + s;
      total += responsibility[k] = at(weights[k]) * std::exp(-d * d / (2 * f)) / std::sqrt(f);
    }
    for (std::size_t k = 0; k < K; ++k) {
      const Long scale = std::exp2(2 * static_cast<Long>(k)), s = base * scale, f = v + s;
      const Long share = responsibility[k] /= total;
      narrow += share * v / f;
      wide += share * s / f;
      doubt += share * (v / f * d) * (v / f * d);
      square += share * ((s / f * d) * (s / f * d) + s * v / f) / scale;
    }
    doubt -= (narrow * d) * (narrow * d);
  }
};

constexpr double kWeights[] = {0.8, 0.1, 0.05, 0.02, 0.01, 0.01, 0.005, 0.005};

double sum_of(const double* lanes) { return std::accumulate(lanes, lanes + kBundle, 0.0); }

// The sample's own part is taken out of what is known of the level, and the variance sought whose gain is that of the
// mixture.
void check_noise_sites(const StateSpaceTable& table, const LevelProblem& p, const LevelResult& s) {
  const std::size_t n = p.y.size();
  constexpr double kBase = 1.25;
  std::vector<double> r = p.r;
  double lanes[11 * kBundle] = {};
  table.noise_sites(p.y.data(), p.seen.data(), s.mean.data(), s.variance.data(), n, 1e-12, kBase, kWeights, r.data(), lanes);
  Long expected[11] = {};
  for (std::size_t t = 0; t < n; ++t) {
    const bool seen = p.seen[t] > 0;
    const Long variance = at(s.variance[t]), others = seen ? 1 - variance / at(p.r[t]) : 1;
    if (!seen || others < 1e-3L) continue;  // there, digits cancel
    const Long v = variance / others, d = (at(p.y[t]) - at(s.mean[t])) / others;
    const Components<8> c(v, d, kBase, kWeights);
    CHECK(close(r[t], std::clamp(v * c.wide / c.narrow, 0.05L * kBase, 1e9L * kBase), 1e-9));
    expected[0] += 1;
    expected[1] += c.square;
    expected[2] += c.doubt;
    for (std::size_t k = 0; k < 8; ++k) expected[3 + k] += c.responsibility[k];
  }
  for (std::size_t k = 0; k < 11; ++k) CHECK(close(sum_of(lanes + k * kBundle), expected[k], 1e-9));
}

void check_step_sites(const StateSpaceTable& table, const LevelProblem& p, const LevelResult& s) {
  const std::size_t n = p.y.size();
  constexpr double kStep = 0.75;
  std::vector<double> u(n), ratio(n);
  double lanes[8 * kBundle] = {};
  table.step_sites(s.mean.data(), s.step_square.data(), p.r.data(), p.q.data(), n, 1e-12, kStep, kWeights, u.data(), ratio.data(), lanes);
  Long expected[8] = {};
  for (std::size_t t = 1; t < n; ++t) {
    const Long step = at(s.mean[t]) - at(s.mean[t - 1]), variance = at(s.step_square[t]) - step * step;
    const Long others = 1 - variance / at(p.q[t]), v = variance / others, base = kStep * at(p.r[t]);
    const Components<6> c(v, step / others, base, kWeights);
    CHECK(close(u[t], c.square, 1e-8));
    CHECK(close(ratio[t], std::clamp(v * c.wide / (c.narrow * base), 0.2L, 1e6L), 1e-8));
    expected[0] += c.square / at(p.r[t]);
    expected[1] += c.doubt;
    for (std::size_t k = 0; k < 6; ++k) expected[2 + k] += c.responsibility[k];
  }
  for (std::size_t k = 0; k < 8; ++k) CHECK(close(sum_of(lanes + k * kBundle), expected[k], 1e-8));
}

// A smoothed level from which every sample's and every step's own part can be taken out without loss of digits.
void check_sites(const StateSpaceTable& table, std::size_t n, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  LevelProblem p = random_level(n, 0.2, generator);
  LevelResult s(n);
  for (std::size_t t = 0; t < n; ++t) {
    p.r[t] = std::exp(normal(generator));
    p.q[t] = std::exp(normal(generator));
    s.mean[t] = (p.seen[t] > 0 ? p.y[t] : 0) + normal(generator) * 3;
    s.variance[t] = p.r[t] * (0.1 + 0.1 * static_cast<double>(t % 8));
    const double step = t > 0 ? s.mean[t] - s.mean[t - 1] : 0;
    s.step_square[t] = step * step + p.q[t] * (0.1 + 0.1 * static_cast<double>(t % 7));
  }
  check_noise_sites(table, p, s);
  check_step_sites(table, p, s);
}

}  // namespace

int main() {
  for (const auto* table : tables_here()) {
    std::mt19937_64 generator(kLevelSeed + 4);
    for (const std::size_t n : {1, 2, 3, 7, 8, 9, 17, 31, 32, 33, 65}) {
      std::vector<LevelProblem> problems;
      for (std::size_t k = 0; k < kBundle; ++k) problems.push_back(random_level(n, 0.1 * static_cast<double>(k % 4), generator));
      for (std::size_t count = 1; count <= kBundle; ++count) {
        check_smoother(table->state_space, problems, count);
        check_profile(table->state_space, problems, count);
        check_mixture(table->state_space, problems, count);
      }
      check_sites(table->state_space, n, generator);
    }
    if (failure_count() > 0) return std::fprintf(stderr, "%s, seed %u\n", table->isa, kLevelSeed), failed();
  }
  return 0;
}
