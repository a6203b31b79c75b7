// SPDX-License-Identifier: MIT
// The honest guardrails: what follows from their definitions, and lengths and values that leave nothing to compute.
// tests/test_guardrails.py holds them against a slow twin.
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "check.hpp"
#include "golden_data.hpp"
#include "rpsd/guardrails.hpp"

namespace {

using Series = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
constexpr rpsd::GuardModel kModel{1, 1, 3.5, 0, true};

rpsd::GuardMetrics judge(const Series& x, const Series& y, const Series& best, const rpsd::GuardModel& model = kModel) {
  rpsd::GuardMetrics found;
  const auto row = [](const Series& v) { return rpsd::Batch<const double>{v.data(), 1, v.size(), v.size()}; };
  rpsd::judge(row(x), row(y), row(best), row(best), &model, &found, 1);
  return found;
}

Series walk(std::size_t n) {
  Series x = noise(n, 5);
  for (std::size_t t = 1; t < n; ++t) x[t] += x[t - 1];
  return x;
}

// The mean of each sample and its neighbours.
Series smoothed(const Series& x) {
  Series y = x;
  for (std::size_t t = 1; t + 1 < x.size(); ++t) y[t] = (x[t - 1] + x[t] + x[t + 1]) / 3;
  return y;
}

void check_what_follows_from_definitions() {
  const Series x = walk(1000), best = smoothed(x);
  const auto same = judge(x, x, best);
  CHECK(same.gain_db == 0 && same.lag == 0 && same.stuck == 0 && same.bias == 0 && same.scale == 0 && same.roughness <= 1);
  const auto good = judge(x, best, best);
  CHECK(std::abs(good.gain_db - kModel.gain_db) < 1e-9 && good.variance == 1 && good.scale == 0);
  Series late = x;
  for (std::size_t t = x.size(); t-- > 1;) late[t] = late[t - 1];
  CHECK(std::abs(judge(x, late, best).lag - 1) < 0.1);
  CHECK(judge(x, Series(x.size(), x[0]), best).stuck == 1);
  Series larger = x;
  for (double& v : larger) v *= 1.5;
  CHECK(judge(x, larger, x).scale > 0.49);
  CHECK(same.overshoot == 0 && good.overshoot == 0 && good.lag == 0 && good.bias == 0);
  for (const std::size_t t : {std::size_t{0}, x.size() / 2, x.size() - 1}) {
    Series wrong = best;
    wrong[t] += 100;
    const auto found = judge(x, wrong, best);
    CHECK(found.overshoot > 50);
    CHECK(t == x.size() / 2 || found.edge_db < -20);
  }
}

void check_that_nothing_breaks() {
  for (const std::size_t n : {0u, 1u, 2u, 3u, 4u, 5u, 9u, 20u, 63u, 64u, 65u, 500u}) {
    const Series x = walk(n), missing(n, kNaN), flat(n, 3.0);
    Series holes = x, huge = x, tiny = x;
    for (std::size_t t = 0; t < n; t += 3) holes[t] = kNaN;
    for (std::size_t t = 0; t < n; ++t) {
      huge[t] *= 1e300;
      tiny[t] *= 1e-300;
    }
    const std::vector<const Series*> all = {&x, &missing, &flat, &holes, &huge, &tiny};
    for (const Series* u : all)
      for (const Series* v : all) judge(*u, *v, smoothed(*u));
    CHECK(std::isnan(judge(x, missing, x).gain_db));
    if (n > 0) CHECK(judge(flat, flat, flat).gain_db == 0);
    if (n > 2) CHECK(judge(flat, x, flat).gain_db < 0);
    judge(x, x, x, {kNaN, kNaN, kNaN, kNaN, false});
    judge(x, x, x, {0, 0, 0, 0, true});
    judge(x, x, x, {kInfinity, 1, 3, 0, true});
  }
}

}  // namespace

int main() {
  check_what_follows_from_definitions();
  check_that_nothing_breaks();
  return failed();
}
