// SPDX-License-Identifier: MIT
// Maximum likelihood of the local level model, the scale concentrated out: a grid over the log ratio of the variances
// finds the hill, the root of the exact score its top. A likelihood is flat at its top and would give half the digits.
#include <algorithm>
#include <cmath>

#include "level_lanes.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/view.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::kBundle;

constexpr std::size_t kGrid = 15;  // with the ratio of no noise, two bundles
constexpr double kLimit = 12, kNoNoise = -30, kTolerance = 1e-12;

double grid_point(std::size_t i) { return kLimit * (2 * static_cast<double>(i) / (kGrid - 1) - 1); }

// The likelihood of one problem at one ratio, its derivative by the log ratio, and the scale that maximises it.
struct Profile {
  std::size_t problem;
  double log_ratio;
  double log_likelihood, score, scale;
};

// A root of the score between a and b, where fa > 0 >= fb or the reverse; c is the end before.
struct Search {
  std::size_t problem;
  double a, fa, b, fb, c, fc, next;
  Profile best;
};

struct FitMemory {
  Buffer<double> ones, samples;
  std::size_t filled = 0;
  Buffer<Profile> profiles;
  Buffer<Search> searches;
};

const double* ones(std::size_t n) {
  auto& memory = of_this_thread<FitMemory>();
  double* const values = memory.ones.get(n);
  if (memory.filled < n) std::fill(values, values + n, 1.0);
  memory.filled = std::max(memory.filled, n);
  return values;
}

void set_profiles(const kernels::LevelProfile& p, const double* samples, Profile* out, std::size_t count) {
  const auto& kernel = active_kernels().state_space;
  double scale[kBundle], log_scale[kBundle], log_mantissa[kBundle];
  for (std::size_t k = 0; k < kBundle; ++k) {
    const bool moves = k < count && p.squares[k] > 0;
    scale[k] = moves ? p.squares[k] / samples[out[k].problem] : 0;
    log_scale[k] = moves ? scale[k] : 1;
  }
  kernel.logarithms(log_scale, kBundle, log_scale);
  kernel.logarithms(p.mantissa, kBundle, log_mantissa);
  for (std::size_t k = 0; k < count; ++k) {
    const double n = samples[out[k].problem], logs = log_mantissa[k] + p.exponent[k] * kLog2;
    out[k].scale = scale[k];
    out[k].log_likelihood = -0.5 * (n * (kLog2Pi + log_scale[k] + 1) + logs);
    out[k].score = scale[k] > 0 ? -0.5 * (p.squares_slope[k] / scale[k] + p.logs_slope[k]) : 0;
  }
}

// Fills in profiles of which problem and log_ratio are set.
void evaluate(const LevelData* problems, const double* samples, Profile* profiles, std::size_t count) {
  for (std::size_t i = 0; i < count; i += kBundle) {
    kernels::LevelLanes lanes;
    kernels::LevelProfile profile;
    lanes.count = std::min(kBundle, count - i);
    const auto& kernel = state_space_kernels(lanes.count);
    for (std::size_t k = 0; k < kBundle; ++k) {
      const Profile& of = profiles[i + (k < lanes.count ? k : 0)];
      const LevelData& d = problems[of.problem];
      set_lane(lanes, k, {d.y, d.seen, d.step_shape ? d.step_shape : ones(d.n), d.noise_shape ? d.noise_shape : ones(d.n), d.n});
      profile.ratio[k] = of.log_ratio;
    }
    kernel.exponentials(profile.ratio, kBundle, profile.ratio);
    in_pieces(0, problems[profiles[i].problem].n, kStopPiece, [&](std::size_t begin, std::size_t end) {
      kernel.profile(lanes, begin, end, profile);
    });
    set_profiles(profile, samples, profiles + i, lanes.count);
  }
}

// Among the places where the score turns from positive to negative, and an end it points out of, the one beside the
// largest likelihood. A root at a grid point or an end comes out as an empty bracket.
Search bracket(const Profile* at) {
  std::size_t left = 0, right = 0;
  double highest = -HUGE_VAL;
  const auto offer = [&](std::size_t l, std::size_t r) {
    const double height = std::max(at[l].log_likelihood, at[r].log_likelihood);
    if (height > highest) left = l, right = r, highest = height;
  };
  if (!(at[0].score > 0)) offer(0, 0);
  for (std::size_t k = 0; k + 1 < kGrid; ++k)
    if (at[k].score > 0 && !(at[k + 1].score > 0)) offer(k, k + 1);
  if (at[kGrid - 1].score > 0) offer(kGrid - 1, kGrid - 1);
  const Profile &l = at[left], &r = at[right];
  const double share = left == right ? 0 : l.score / (l.score - r.score);
  return {l.problem, l.log_ratio, l.score, r.log_ratio, r.score, r.log_ratio, r.score,
          l.log_ratio + share * (r.log_ratio - l.log_ratio), std::abs(l.score) < std::abs(r.score) ? l : r};
}

bool is_done(const Search& s) { return std::abs(s.b - s.a) <= 2 * kTolerance || s.best.score == 0; }

// Takes over a value between the ends and sets the next place: inverse quadratic interpolation where the three points
// allow it, bisection elsewhere (Chandrupatla 1997).
void narrow(Search& s, const Profile& found) {
  if ((found.score > 0) == (s.fa > 0)) {
    s.c = s.a, s.fc = s.fa;
  } else {
    s.c = s.b, s.fc = s.fb;
    s.b = s.a, s.fb = s.fa;
  }
  s.a = found.log_ratio, s.fa = found.score;
  if (std::abs(found.score) < std::abs(s.best.score)) s.best = found;
  const double width = s.b - s.a, xi = (s.a - s.b) / (s.c - s.b), phi = (s.fa - s.fb) / (s.fc - s.fb);
  double t = 0.5;
  if (phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi)
    t = s.fa / (s.fb - s.fa) * (s.fc / (s.fb - s.fc)) + (s.c - s.a) / width * (s.fa / (s.fc - s.fa)) * (s.fb / (s.fc - s.fb));
  const double least = kTolerance / std::abs(width);
  s.next = s.a + std::min(std::max(t, least), 1 - least) * width;
}

void climb(const LevelData* problems, const double* samples, Search* searches, std::size_t count, Profile* profiles) {
  for (;;) {
    std::size_t open = 0;
    for (std::size_t i = 0; i < count; ++i)
      if (!is_done(searches[i])) profiles[open++] = {searches[i].problem, searches[i].next, 0, 0, 0};
    if (open == 0) return;
    evaluate(problems, samples, profiles, open);
    for (std::size_t k = 0, i = 0; k < open; ++i)
      if (searches[i].problem == profiles[k].problem && !is_done(searches[i])) narrow(searches[i], profiles[k++]);
  }
}

}  // namespace

void level_log_likelihoods(const LevelData& problem, const double* log_ratios, std::size_t count, double* out) {
  auto& memory = of_this_thread<FitMemory>();
  const double samples = active_table<double>().sum(problem.seen, problem.n) - 1;
  Profile* const profiles = memory.profiles.get(count);
  for (std::size_t i = 0; i < count; ++i) profiles[i] = {0, log_ratios[i], 0, 0, 0};
  evaluate(&problem, &samples, profiles, count);
  for (std::size_t i = 0; i < count; ++i) out[i] = profiles[i].log_likelihood;
}

void fit_local_level(const LevelData* problems, LevelFit* fits, std::size_t count) {
  auto& memory = of_this_thread<FitMemory>();
  double* const samples = memory.samples.get(count);
  Profile* const profiles = memory.profiles.get(count * (kGrid + 1));
  Search* const searches = memory.searches.get(count);
  for (std::size_t i = 0; i < count; ++i) {
    samples[i] = active_table<double>().sum(problems[i].seen, problems[i].n) - 1;
    for (std::size_t k = 0; k < kGrid; ++k) profiles[i * (kGrid + 1) + k] = {i, grid_point(k), 0, 0, 0};
    profiles[i * (kGrid + 1) + kGrid] = {i, kNoNoise, 0, 0, 0};
  }
  evaluate(problems, samples, profiles, count * (kGrid + 1));
  for (std::size_t i = 0; i < count; ++i) {
    const Profile* const at = profiles + i * (kGrid + 1);
    searches[i] = bracket(at);
    fits[i].log_likelihood_no_noise = at[kGrid].log_likelihood;
  }
  climb(problems, samples, searches, count, profiles);
  for (std::size_t i = 0; i < count; ++i) {
    const Profile& best = searches[i].best;
    double ratio;
    active_kernels().state_space.exponentials(&best.log_ratio, 1, &ratio);
    if (best.scale > 0)
      fits[i] = {ratio * best.scale, best.scale, best.log_likelihood, fits[i].log_likelihood_no_noise};
    else
      fits[i] = {0, 0, 0, 0};
  }
}

}  // namespace rpsd
