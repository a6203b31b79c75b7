// SPDX-License-Identifier: MIT
// The tasks whose instructions check.py counts: `instructions TASK` runs one on fixed data, once to warm up and once
// inside of `counted`. Without an argument it prints what there is to count, as JSON.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "daubechies4.hpp"
#include "rpsd/causal_price.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/guardrails.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/quality.hpp"
#include "rpsd/state_space.hpp"
#include "rpsd/wavelet.hpp"
#include "rpsd/windowed.hpp"

// What callgrind is told to count; out of line, so that the name stays.
extern "C" [[gnu::noinline]] void counted(const std::function<void()>& work) { work(); }

namespace {

// Nearly normal, of variance 1/4.
double draw(std::mt19937_64& generator) {
  double sum = 0;
  for (int k = 0; k < 3; ++k) sum += static_cast<double>(generator() >> 11) * 0x1p-53 - 0.5;
  return sum;
}

// A random walk under noise with heavy tails, so that every level keeps something; made by + and * alone, and so the
// same on every system.
template <class T>
std::vector<T> prices(std::size_t n, unsigned seed) {
  std::mt19937_64 generator(seed);
  double walk = 100;
  std::vector<T> x(n);
  for (auto& v : x) {
    const double noise = draw(generator);
    v = static_cast<T>((walk += draw(generator)) + noise * (1 + noise * noise));
  }
  return x;
}

// A symmetric low-pass of an odd number of taps, gain 1: a triangle.
std::vector<double> triangle(int taps) {
  const int half = taps / 2, height = half + 1;
  std::vector<double> h;
  for (int k = 0; k < taps; ++k) h.push_back((height - std::abs(k - half)) / (static_cast<double>(height) * height));
  return h;
}

void run_twice(const std::function<void()>& work) {
  work();
  counted(work);
}

template <class T>
void denoise(std::size_t rows, std::size_t n) {
  rpsd::Options options;
  options.bank = bench::daubechies4();
  const rpsd::Denoiser<T> denoiser(options);
  const auto x = prices<T>(rows * n, 1);
  std::vector<T> y(x.size());
  std::vector<rpsd::SeriesReport> reports(rows);
  run_twice([&] { denoiser({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), 1); });
}

// Daubechies 1992, table 6.3: the wavelet of the default.
rpsd::FilterBank symlet8() {
  return bench::orthogonal({0.0018899503327594609, -0.0003029205147213668, -0.01495225833704823, 0.003808752013890615,
                             0.049137179673607506, -0.027219029917056003, -0.05194583810770904, 0.3644418948353314,
                             0.7771857517005235, 0.4813596512583722, -0.061273359067658524, -0.1432942383508097,
                             0.007607487324917605, 0.03169508781149298, -0.0005421323317911481, -0.0033824159510061256});
}

// What rpsd.denoise does without options, on random walks under noise as large as their steps.
void denoise_by_default(std::size_t rows, std::size_t n) {
  rpsd::Options options;
  options.method = rpsd::Method::automatic;
  options.bank = symlet8();
  options.min_gain_db = 0.1;
  const rpsd::Denoiser<double> denoiser(options);
  std::vector<double> x(rows * n), y(x.size());
  std::mt19937_64 generator(7);
  double walk = 100;
  for (auto& v : x) {
    walk += draw(generator);
    v = walk + draw(generator);
  }
  std::vector<rpsd::SeriesReport> reports(rows);
  run_twice([&] { denoiser({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), 1); });
  for (const auto& report : reports)
    if (report.price.action != rpsd::PriceAction::denoised) std::abort();
}

void transform(std::size_t, std::size_t n) {
  const rpsd::Transform<double> db4(bench::daubechies4(), rpsd::Boundary::symmetric);
  constexpr int kLevel = 4;
  auto lengths = rpsd::level_lengths(db4, n, kLevel);
  lengths.push_back(lengths.back());
  std::vector<std::vector<double>> memory;
  std::vector<rpsd::Batch<double>> coefficients;
  std::vector<rpsd::Batch<const double>> view;
  for (auto length = lengths.rbegin(); length != lengths.rend(); ++length) {
    memory.emplace_back(*length);
    coefficients.push_back({memory.back().data(), 1, *length, *length});
    view.push_back({memory.back().data(), 1, *length, *length});
  }
  const auto x = prices<double>(n, 2);
  std::vector<double> y(rpsd::waverec_length(db4, {lengths.rbegin(), lengths.rend()}));
  run_twice([&] {
    rpsd::wavedec<double>(db4, {x.data(), 1, n, n}, kLevel, coefficients, 1);
    rpsd::waverec<double>(db4, view, {y.data(), 1, y.size(), y.size()}, 1);
  });
}

void modwt(std::size_t, std::size_t n) {
  const auto db4 = bench::daubechies4();
  constexpr auto kBoundary = rpsd::ModwtBoundary::periodic;
  constexpr int kLevel = 4;
  const auto x = prices<double>(n, 2);
  std::vector<double> coeffs((kLevel + 1) * n), y(n);
  run_twice([&] {
    rpsd::modwt<double>(db4, kBoundary, kLevel, {x.data(), 1, n, n}, {coeffs.data(), kLevel + 1, n, n}, 1);
    rpsd::imodwt<double>(db4, kBoundary, kLevel, {coeffs.data(), kLevel + 1, n, n}, {y.data(), 1, n, n}, 1);
  });
}

template <class T, rpsd::FirMode mode, int taps>
void fir(std::size_t rows, std::size_t n) {
  const rpsd::Fir<T> filter(triangle(taps), mode);
  const auto x = prices<T>(rows * n, 3);
  std::vector<T> y(x.size());
  run_twice([&] { rpsd::fir_filter<T>(filter, {x.data(), rows, n, n}, {y.data(), rows, n, n}, 1); });
}

void metrics(std::size_t rows, std::size_t n) {
  const auto x = prices<double>(rows * n, 4), y = prices<double>(rows * n, 5);
  std::vector<rpsd::Metrics> out(rows);
  run_twice([&] { rpsd::measure({x.data(), rows, n, n}, {y.data(), rows, n, n}, out.data(), 1); });
}

// Half of the values zero and the other half a continuum: the median lies at the end of the ties.
void median_of_ties(std::size_t, std::size_t n) {
  auto x = prices<double>(n, 6);
  for (std::size_t i = 0; i < n; i += 2) x[i] = 0;
  std::vector<double> scratch(n);
  double median = 0;
  run_twice([&] { median = rpsd::active_kernels().f64.median_abs(x.data(), n, scratch.data()); });
  if (median <= 0) std::abort();
}

// Local level problems of which every sixteenth sample is missing.
struct LevelProblems {
  std::vector<double> y, seen, q, r;
  std::vector<rpsd::LocalLevel> problems;

  LevelProblems(std::size_t rows, std::size_t n) : y(prices<double>(rows * n, 6)), seen(rows * n, 1), q(rows * n, 1), r(rows * n, 0.5) {
    for (std::size_t t = 15; t < seen.size(); t += 16) seen[t] = 0;
    for (std::size_t i = 0; i < rows * n; i += n) problems.push_back({&y[i], &seen[i], &q[i], &r[i], n});
  }
};

void smooth(std::size_t rows, std::size_t n) {
  const LevelProblems level(rows, n);
  std::vector<double> mean(rows * n), variance(rows * n), step_square(rows * n), log_likelihoods(rows);
  std::vector<rpsd::Smoothed> out;
  for (std::size_t i = 0; i < rows * n; i += n) out.push_back({&mean[i], &variance[i], &step_square[i]});
  run_twice([&] { rpsd::smooth(level.problems.data(), out.data(), rows, log_likelihoods.data()); });
}

void fit_local_level(std::size_t rows, std::size_t n) {
  const LevelProblems level(rows, n);
  std::vector<rpsd::LevelData> data;
  for (const auto& p : level.problems) data.push_back({p.y, p.seen, nullptr, nullptr, n});
  std::vector<rpsd::LevelFit> fits(rows);
  run_twice([&] { rpsd::fit_local_level(data.data(), fits.data(), rows); });
}

// Steps as large as the noise, and a jump now and then.
template <rpsd::PriceMethod method>
void causal(std::size_t rows, std::size_t n) {
  rpsd::CausalOptions options;
  options.method = method;
  const rpsd::CausalModel model(options);
  std::vector<double> x(rows * n), y(x.size());
  std::mt19937_64 generator(8);
  double walk = 100;
  for (std::size_t t = 0; t < x.size(); ++t) {
    walk += t % 500 == 499 ? 10 : draw(generator);
    x[t] = walk + draw(generator);
  }
  run_twice([&] { rpsd::causal_price(model, {x.data(), rows, n, n}, {y.data(), rows, n, n}, nullptr, 1); });
}

// Trailing windows of the textbook chain.
void windows(std::size_t rows, std::size_t n) {
  rpsd::Options options;
  options.bank = bench::daubechies4();
  const rpsd::Windowed<double> windowed(options, {256, 0, 256});
  const auto x = prices<double>(rows * n, 9);
  std::vector<double> y(x.size());
  std::vector<rpsd::WindowedReport> reports(rows);
  run_twice([&] { windowed({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), 1); });
}

// Of an average of three beside one of five.
void guardrails(std::size_t, std::size_t n) {
  const auto x = prices<double>(n, 11);
  const auto average = [&](std::size_t half) {
    std::vector<double> y(x);
    for (std::size_t t = half; t + half < n; ++t) {
      double sum = 0;
      for (std::size_t k = t - half; k <= t + half; ++k) sum += x[k];
      y[t] = sum / static_cast<double>(2 * half + 1);
    }
    return y;
  };
  const auto y = average(1), best = average(2);
  const auto row = [&](const std::vector<double>& v) { return rpsd::Batch<const double>{v.data(), 1, n, n}; };
  const rpsd::GuardModel model{1, 0.5, 3, 0, true};
  rpsd::GuardMetrics found;
  run_twice([&] { rpsd::judge(row(x), row(y), row(best), row(best), &model, &found, 1); });
}

struct Task {
  std::size_t rows, samples;
  void (*run)(std::size_t rows, std::size_t samples);
};

const std::map<std::string, Task>& tasks() {
  static const std::map<std::string, Task> all = {
      {"denoise float64, 1,000", {1, 1'000, denoise<double>}},
      {"denoise float64, 10,000", {1, 10'000, denoise<double>}},
      {"denoise float64, 100,000", {1, 100'000, denoise<double>}},
      {"denoise float64, 100 x 390", {100, 390, denoise<double>}},
      {"denoise float32, 10,000", {1, 10'000, denoise<float>}},
      {"denoise by default, 2,048", {1, 2'048, denoise_by_default}},
      {"denoise by default, 8 x 2,048", {8, 2'048, denoise_by_default}},
      {"causal auto, 4,096", {1, 4'096, causal<rpsd::PriceMethod::automatic>}},
      {"causal auto, 32 x 1,024", {32, 1'024, causal<rpsd::PriceMethod::automatic>}},
      {"causal kalman, 4,096", {1, 4'096, causal<rpsd::PriceMethod::kalman>}},
      {"causal windows of 256, 2,048", {1, 2'048, windows}},
      {"wavedec + waverec, 10,000", {1, 10'000, transform}},
      {"modwt + imodwt, 10,000", {1, 10'000, modwt}},
      {"fir causal, 101 taps, 10,000", {1, 10'000, fir<double, rpsd::FirMode::causal, 101>}},
      {"fir causal, 101 taps, float32, 10,000", {1, 10'000, fir<float, rpsd::FirMode::causal, 101>}},
      {"fir same, 1025 taps, 100,000", {1, 100'000, fir<double, rpsd::FirMode::same, 1025>}},
      {"fir zero-phase, 101 taps, 10,000", {1, 10'000, fir<double, rpsd::FirMode::zero_phase, 101>}},
      {"median, half zeros, 100,000", {1, 100'000, median_of_ties}},
      {"metrics, 10,000", {1, 10'000, metrics}},
      {"guardrails, 10,000", {1, 10'000, guardrails}},
      {"smooth, 2,048", {1, 2'048, smooth}},
      {"smooth, 8 x 2,048", {8, 2'048, smooth}},
      {"fit local level, 2,048", {1, 2'048, fit_local_level}},
      {"fit local level, 8 x 2,048", {8, 2'048, fit_local_level}},
  };
  return all;
}

void describe() {
  std::printf("{\"compiler\": \"%s\", \"isas\": [", RPSD_COMPILER);
  const char* separator = "";
  for (const auto& isa : rpsd::supported_isas()) std::printf("%s\"%s\"", separator, isa.c_str()), separator = ", ";
  std::printf("], \"tasks\": {");
  separator = "";
  for (const auto& [name, task] : tasks())
    std::printf("%s\"%s\": %zu", separator, name.c_str(), task.rows * task.samples), separator = ", ";
  std::printf("}}\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return describe(), 0;
  const auto task = tasks().find(argv[1]);
  if (argc != 2 || task == tasks().end()) {
    std::fprintf(stderr, "usage: %s [TASK], one of those it prints without an argument\n", argv[0]);
    return 2;
  }
  task->second.run(task->second.rows, task->second.samples);
}
