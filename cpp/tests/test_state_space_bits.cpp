// SPDX-License-Identifier: MIT
// The state-space kernels give the same bits under every instruction set, for every number of lanes, and cut in two.
#include <cstring>
#include <random>
#include <vector>

#include "../src/level_lanes.hpp"
#include "check.hpp"
#include "level_problem.hpp"
#include "tables_here.hpp"

namespace {

using rpsd::kernels::kBundle;
using rpsd::kernels::StateSpaceTable;

std::vector<LevelProblem> random_problems(std::size_t n) {
  std::mt19937_64 generator(kLevelSeed + static_cast<unsigned>(n));
  std::vector<LevelProblem> problems;
  for (std::size_t k = 0; k < kBundle; ++k) problems.push_back(random_level(n, 0.1 * static_cast<double>(k % 4), generator));
  return problems;
}

// The first lanes of a state's rows of eight.
void append(std::vector<double>& all, const double* lanes, std::size_t count) { all.insert(all.end(), lanes, lanes + count); }

rpsd::kernels::LevelLanes lanes_of(const std::vector<LevelProblem>& problems, std::size_t count) {
  std::vector<rpsd::LocalLevel> views;
  for (const auto& problem : problems) views.push_back(view(problem));
  return rpsd::level_lanes(views.data(), count);
}

// Filter and smoother in two parts, so that a state is handed on.
std::vector<double> smoother_outputs(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count) {
  const std::size_t n = problems[0].y.size(), middle = n / 2;
  const auto lanes = lanes_of(problems, count);
  std::vector<double> kept(3 * kBundle * n), all(3 * kBundle * n);
  rpsd::kernels::SmoothedLanes out;
  for (std::size_t k = 0; k < kBundle; ++k) {
    double* const own = all.data() + (k < count ? k : 0) * 3 * n;
    out.mean[k] = own;
    out.variance[k] = own + n;
    out.step_square[k] = own + 2 * n;
  }
  rpsd::kernels::LevelState state = {}, likelihood = {};
  table.filter(lanes, 0, middle, state, kept.data());
  const auto halfway = state;
  table.filter(lanes, middle, n, state, kept.data());
  rpsd::kernels::SmootherState back = {};
  std::memcpy(back.mean, state.mean, sizeof back.mean);
  std::memcpy(back.variance, state.variance, sizeof back.variance);
  table.smooth(out, count, middle, n, n, back, kept.data());
  rpsd::kernels::LevelState again = {};
  table.filter(lanes, 0, middle, again, kept.data());
  CHECK(middle == 0 || std::memcmp(again.mean, halfway.mean, count * sizeof(double)) == 0);
  table.smooth(out, count, 0, middle, n, back, kept.data());
  table.likelihood(lanes, 0, middle, likelihood);
  table.likelihood(lanes, middle, n, likelihood);
  for (const auto* s : {&state, &likelihood})
    for (const double* row : {s->mean, s->variance, s->squares, s->mantissa, s->exponent}) append(all, row, count);
  return all;
}

std::vector<double> profile_outputs(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count,
                                    std::size_t middle) {
  rpsd::kernels::LevelProfile p;
  for (std::size_t k = 0; k < kBundle; ++k) p.ratio[k] = k < count ? 0.01 + static_cast<double>(k * k) : 0.01;
  const auto lanes = lanes_of(problems, count);
  table.profile(lanes, 0, middle, p);
  table.profile(lanes, middle, problems[0].y.size(), p);
  std::vector<double> all;
  for (const double* row : {p.squares, p.squares_slope, p.mantissa, p.exponent, p.logs_slope}) append(all, row, count);
  return all;
}

std::vector<double> mixture_outputs(const StateSpaceTable& table, const std::vector<LevelProblem>& problems, std::size_t count,
                                    std::size_t middle) {
  rpsd::kernels::MixtureLanes lanes = {};
  lanes.level = lanes_of(problems, count);
  lanes.steps = 3;
  lanes.noises = 2;
  rpsd::kernels::MixtureState state = {};
  for (std::size_t k = 0; k < kBundle; ++k) {
    lanes.largest_step[k] = 16;
    lanes.largest_noise[k] = 64;
    lanes.mean_step[k] = 1.5;
    state.variance[k] = 100;
    for (std::size_t s = 0; s < 3; ++s) lanes.step_weight[s][k] = 0.5 / static_cast<double>(1 + s);
    for (std::size_t s = 0; s < 2; ++s) lanes.noise_weight[s][k] = 0.5;
  }
  const double steps[] = {1, 4, 16}, noises[] = {1, 64};
  std::memcpy(lanes.step_scale, steps, sizeof steps);
  std::memcpy(lanes.noise_scale, noises, sizeof noises);
  table.mixture(lanes, 0, middle, state);
  table.mixture(lanes, middle, problems[0].y.size(), state);
  std::vector<double> all;
  for (const double* row : {state.mean, state.variance, state.squares, state.mantissa, state.exponent}) append(all, row, count);
  return all;
}

std::vector<double> site_outputs(const StateSpaceTable& table, const LevelProblem& p, const LevelResult& s, std::size_t middle) {
  const std::size_t n = p.y.size();
  const double weights[] = {0.8, 0.1, 0.05, 0.02, 0.01, 0.01, 0.005, 0.005};
  std::vector<double> r = p.r, shape = p.r, u(n), ratio(n), sums((11 + 8) * kBundle), q(n);
  for (std::size_t t = 0; t < n; ++t) q[t] = p.q[t] + 0.01;
  middle = middle / kBundle * kBundle;
  const auto sites = [&](std::size_t begin, std::size_t end, std::size_t last) {
    table.noise_sites(&p.y[begin], &p.seen[begin], &s.mean[begin], &s.variance[begin], end - begin, 1e-12, 1.25, weights,
                      &r[begin], sums.data());
    table.step_sites(&s.mean[begin], &s.step_square[begin], &shape[begin], &q[begin], last - begin, 1e-12, 0.75, weights,
                     &u[begin], &ratio[begin], sums.data() + 11 * kBundle);
  };
  if (middle > 0) sites(0, middle, middle + 1);  // the first step leads to the second sample
  sites(middle, n, n);
  for (const auto* part : {&r, &u, &ratio}) sums.insert(sums.end(), part->begin(), part->end());
  return sums;
}

void compare(const std::vector<double>& expected, const std::vector<double>& got, const char* isa, std::size_t n) {
  if (expected.size() == got.size() && std::memcmp(expected.data(), got.data(), got.size() * sizeof(double)) == 0) return;
  std::fprintf(stderr, "%s differs: n %zu\n", isa, n);
  ++failure_count();
}

}  // namespace

int main() {
  const auto tables = tables_here();
  for (const std::size_t n : {1, 2, 3, 8, 17, 31, 32, 33, 65, 200}) {
    const auto problems = random_problems(n);
    const auto results = smoothed(problems);
    const auto& first = tables[0]->state_space;
    for (const auto* table : tables) {
      const auto& other = table->state_space;
      for (std::size_t count = 1; count <= kBundle; ++count) {
        compare(smoother_outputs(first, problems, count), smoother_outputs(other, problems, count), table->isa, n);
        compare(profile_outputs(first, problems, count, 0), profile_outputs(other, problems, count, n / 2), table->isa, n);
        compare(mixture_outputs(first, problems, count, 0), mixture_outputs(other, problems, count, n / 2), table->isa, n);
      }
      for (std::size_t k = 0; k < kBundle; ++k)
        compare(site_outputs(first, problems[k], results[k], 0), site_outputs(other, problems[k], results[k], n / 2), table->isa, n);
    }
  }
  return failed();
}
