// SPDX-License-Identifier: MIT
// Paths of + - * / and square roots alone give the same bits on every system, processor, instruction set and number
// of threads. `test_golden FILE` compares their hashes with those in FILE; `test_golden --print` prints them, and
// golden.txt holds what it printed; only a change that means to changes it.
//
// To extend: add a function of the type and the number of threads that appends to Hashes, and call it in all_paths.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "check.hpp"
#include "golden_data.hpp"
#include "orthogonal.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/state_space.hpp"
#include "rpsd/wavelet.hpp"
#include "rpsd/windowed.hpp"

namespace {

using Strings = std::vector<std::string>;
using Hashes = std::map<std::string, std::uint64_t>;

constexpr int kSkipped = 77;

const Strings kBoundaries = {"zero",          "constant",      "symmetric",   "reflect",      "periodic",
                             "smooth",        "antisymmetric", "antireflect", "periodization"};

struct NamedBank {
  std::string name;
  rpsd::FilterBank bank;
};

// Daubechies (1992): section 6.4 and, for four vanishing moments, table 6.1; and filters that share nothing, longer
// than those of usual wavelets.
std::vector<NamedBank> banks() {
  const double half = std::sqrt(0.5), r = std::sqrt(3.0), s = 4 * std::sqrt(2.0);
  auto any = [](std::uint64_t seed) {
    auto taps = noise(24, seed);
    for (double& v : taps) v /= 4;
    return taps;
  };
  return {{"haar", orthogonal({half, half})},
          {"db2", orthogonal({(1 + r) / s, (3 + r) / s, (3 - r) / s, (1 - r) / s})},
          {"db4", orthogonal({.2303778133088964, .7148465705529154, .6308807679298587, -.0279837694168599,
                              -.1870348117190931, .0308413818355607, .0328830116668852, -.0105974017850690})},
          {"any24", {any(11), any(12), any(13), any(14)}}};
}

template <class T>
void add_transforms(int threads, Hashes& hashes) {
  constexpr int kLevel = 4;
  for (const auto& [name, bank] : banks())
    for (const auto& boundary : kBoundaries) {
      const rpsd::Transform<T> transform(bank, rpsd::parse_boundary(boundary));
      Hash forward, inverse;
      for (const std::size_t n : kLengths) {
        const std::size_t rows = rows_of(n);
        const auto x = prices<T>(rows, n);
        auto lengths = rpsd::level_lengths(transform, n, kLevel);
        lengths.push_back(lengths.back());
        std::reverse(lengths.begin(), lengths.end());
        std::vector<std::vector<T>> memory;
        for (const std::size_t m : lengths) memory.emplace_back(rows * m);
        std::vector<rpsd::Batch<T>> out;
        std::vector<rpsd::Batch<const T>> in;
        for (std::size_t k = 0; k < lengths.size(); ++k) {
          out.push_back({memory[k].data(), rows, lengths[k], lengths[k]});
          in.push_back({memory[k].data(), rows, lengths[k], lengths[k]});
        }
        rpsd::wavedec<T>(transform, {x.data(), rows, n, n}, kLevel, out, threads);
        for (const auto& values : memory) forward.add(values);
        const std::size_t length = rpsd::waverec_length(transform, lengths);
        std::vector<T> y(rows * length);
        rpsd::waverec<T>(transform, in, {y.data(), rows, length, length}, threads);
        inverse.add(y);
      }
      const std::string of = " " + name + " " + boundary + TypeName<T>::value;
      hashes["wavedec" + of] = forward.value();
      hashes["waverec" + of] = inverse.value();
    }
}

// The inverse is defined for what orthogonal banks give.
template <class T>
void add_modwts(int threads, Hashes& hashes) {
  constexpr int kLevel = 3;
  for (const auto& [name, bank] : banks()) {
    if (name == "any24") continue;
    for (const char* word : {"periodic", "symmetric"}) {
      const auto boundary = rpsd::parse_modwt_boundary(word);
      Hash forward, inverse;
      for (const std::size_t n : kLengths) {
        const std::size_t rows = rows_of(n), all = rows * (kLevel + 1);
        const auto x = prices<T>(rows, n);
        std::vector<T> coefficients(all * n), y(rows * n);
        rpsd::modwt<T>(bank, boundary, kLevel, {x.data(), rows, n, n}, {coefficients.data(), all, n, n}, threads);
        forward.add(coefficients);
        rpsd::imodwt<T>(bank, boundary, kLevel, {coefficients.data(), all, n, n}, {y.data(), rows, n, n}, threads);
        inverse.add(y);
      }
      const std::string of = " " + name + " " + word + TypeName<T>::value;
      hashes["modwt" + of] = forward.value();
      hashes["imodwt" + of] = inverse.value();
    }
  }
}

// Taps without symmetry, and mirrored.
template <class T>
void add_firs(int threads, Hashes& hashes) {
  constexpr std::size_t kMostProducts = 12'000'000;
  for (const char* mode : {"zero_phase", "causal", "same"})
    for (const std::size_t count : {1, 2, 5, 16, 65, 101, 501})
      for (const bool symmetric : {false, true}) {
        auto taps = noise(count, 2);
        for (double& v : taps) v /= static_cast<double>(count);
        if (symmetric) std::copy(taps.begin(), taps.begin() + static_cast<std::ptrdiff_t>(count / 2), taps.rbegin());
        const rpsd::Fir<T> fir(taps, rpsd::parse_fir_mode(mode));
        Hash hash;
        for (const std::size_t n : kLengths) {
          if (n * count > kMostProducts) continue;  // emulated processors are slow
          const std::size_t rows = rows_of(n);
          const auto x = prices<T>(rows, n);
          std::vector<T> y(rows * n);
          rpsd::fir_filter<T>(fir, {x.data(), rows, n, n}, {y.data(), rows, n, n}, threads);
          hash.add(y);
        }
        hashes[std::string("fir ") + mode + " " + std::to_string(count) + (symmetric ? " symmetric taps" : " taps") +
               TypeName<T>::value] = hash.value();
      }
}

// One chain on series of every length; change is applied to each sample.
template <class T, class Change>
std::uint64_t denoised(const rpsd::Options& options, int threads, Change change) {
  const rpsd::Denoiser<T> denoiser(options);
  Hash hash;
  for (const std::size_t n : kLengths) {
    const std::size_t rows = rows_of(n);
    auto x = prices<T>(rows, n);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = change(x[i], i);
    std::vector<T> y(rows * n);
    std::vector<rpsd::SeriesReport> reports(rows);
    denoiser({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), threads);
    // A NaN has no bits that are the same everywhere.
    for (const auto& report : reports) hash.add_number(std::isnan(report.noise_sd) ? 0.0 : report.noise_sd);
    for (T& v : y) v = std::isnan(v) ? T(0) : v;
    hash.add(y);
  }
  return hash.value();
}

template <class T>
void add_denoisers(int threads, Hashes& hashes) {
  const auto as_is = [](T v, std::size_t) { return v; };
  const auto add = [&](const std::string& name, const rpsd::Options& options, auto change) {
    hashes["denoise " + name + TypeName<T>::value] = denoised<T>(options, threads, change);
  };
  const auto known = banks();
  rpsd::Options db4;
  db4.bank = known[2].bank;
  for (const char* mode : {"bayes", "universal"})
    for (const char* rule : {"soft", "hard", "garrote", "firm", "scad"})
      for (const char* noise : {"mad", "level", "given"}) {
        rpsd::Options options = db4;
        options.threshold_mode = rpsd::parse_threshold_mode(mode);
        options.threshold_rule = rpsd::parse_threshold_rule(rule);
        options.noise = rpsd::parse_noise(noise);
        options.noise_sd = 0.03125;
        add(std::string(mode) + " " + rule + " " + noise, options, as_is);
      }
  for (const auto& [name, bank] : known)
    for (const auto& boundary : kBoundaries) {
      rpsd::Options options;
      options.bank = bank;
      options.boundary = rpsd::parse_boundary(boundary);
      options.threshold_scale = 0.75;
      add(name + " " + boundary, options, as_is);
    }
  for (const char* noise : {"mad", "level", "given"})
    for (const auto boundary : {rpsd::Boundary::symmetric, rpsd::Boundary::periodic}) {
      rpsd::Options options = db4;
      options.transform = rpsd::TransformKind::modwt;
      options.boundary = boundary;
      options.noise = rpsd::parse_noise(noise);
      options.noise_sd = 0.03125;
      add(std::string("modwt ") + (boundary == rpsd::Boundary::periodic ? "periodic " : "symmetric ") + noise, options,
          as_is);
    }
  rpsd::Options linear = db4;
  linear.threshold_mode = rpsd::ThresholdMode::wiener;
  add("wiener", linear, as_is);
  rpsd::Options filtered = db4;
  filtered.fir_taps = noise(101, 3);
  for (double& v : filtered.fir_taps) v /= 32;
  add("and fir", filtered, as_is);
  filtered.threshold_mode = rpsd::ThresholdMode::none;
  add("none but fir", filtered, as_is);
  add("gaps", db4, [](T v, std::size_t i) { return i % 11 == 3 || i % 97 < 5 ? static_cast<T>(NAN) : v; });
  // Units whose squares leave the range of numbers, down to numbers without full precision.
  const bool wide = sizeof(T) == 8;
  add("large units", db4, [&](T v, std::size_t) { return std::ldexp(v, wide ? 1000 : 110); });
  add("small units", db4, [&](T v, std::size_t) { return std::ldexp(v, wide ? -1060 : -140); });
}

// Windows with what neighbours share (dwt), and each by itself (modwt), of short series as emulated processors are slow.
template <class T>
void add_windows(int threads, Hashes& hashes) {
  for (const auto kind : {rpsd::TransformKind::dwt, rpsd::TransformKind::modwt}) {
    rpsd::Options options;
    options.bank = banks()[2].bank;
    options.transform = kind;
    const rpsd::Windowed<T> windowed(options, {64, 5, 20});
    Hash hash;
    for (const std::size_t n : kLengths) {
      if (n > kLongest) continue;
      const std::size_t rows = rows_of(n);
      auto x = prices<T>(rows, n);
      for (std::size_t i = 3; i < x.size(); i += 11) x[i] = static_cast<T>(NAN);
      std::vector<T> y(rows * n);
      std::vector<rpsd::WindowedReport> reports(rows);
      windowed({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), threads, {n / 2});
      for (T& v : y) v = std::isnan(v) ? T(0) : v;
      hash.add(y);
    }
    hashes[std::string("windowed ") + (kind == rpsd::TransformKind::dwt ? "dwt" : "modwt") + TypeName<T>::value] = hash.value();
  }
}

// Local level problems of all lengths with given variances of many sizes, a quarter of the samples missing.
struct LevelData {
  std::vector<double> y, seen, q, r;
  std::size_t rows, n;

  explicit LevelData(std::size_t length)
      : y(prices<double>(rows_of(length), length)), seen(y.size(), 1), q(noise(y.size(), 21)), r(noise(y.size(), 22)),
        rows(rows_of(length)), n(length) {
    const auto chance = noise(y.size(), 23);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (i % n > 0 && chance[i] < -0.5) seen[i] = 0;
      q[i] = std::ldexp(1 + q[i], static_cast<int>(i % 17) - 16);
      r[i] = std::ldexp(1 + r[i] + 1e-3, static_cast<int>(i % 13) - 12);
    }
  }
  std::vector<rpsd::LocalLevel> problems() const {
    std::vector<rpsd::LocalLevel> all;
    for (std::size_t i = 0; i < y.size(); i += n) all.push_back({&y[i], &seen[i], &q[i], &r[i], n});
    return all;
  }
};

void add_levels(Hashes& hashes) {
  const double steps[] = {.9, .05, 0, .03, .01, .01}, noises[] = {.8, .1, .05, .02, .01, .01, .005, .005};
  Hash smoothed, fitted, mixed;
  for (const std::size_t n : kLengths) {
    const LevelData data(n);
    const auto problems = data.problems();
    std::vector<double> mean(data.y.size()), variance(mean), step_square(mean), likelihoods(data.rows);
    std::vector<rpsd::Smoothed> out;
    std::vector<rpsd::LevelData> free;
    std::vector<rpsd::ScaleMixture> mixtures;
    for (std::size_t k = 0; k < data.rows; ++k) {
      out.push_back({&mean[k * n], &variance[k * n], &step_square[k * n]});
      free.push_back({problems[k].y, problems[k].seen, nullptr, nullptr, n});
      mixtures.push_back({problems[k], steps, noises});
    }
    rpsd::smooth(problems.data(), out.data(), data.rows, likelihoods.data());
    for (const auto* values : {&mean, &variance, &step_square, &likelihoods}) smoothed.add(*values);
    std::vector<rpsd::LevelFit> fits(data.rows);
    rpsd::fit_local_level(free.data(), fits.data(), data.rows);
    for (const auto& fit : fits)
      fitted.add(std::vector<double>{fit.noise_variance, fit.step_variance, fit.log_likelihood});
    rpsd::mixture_log_likelihood(mixtures.data(), data.rows, likelihoods.data());
    mixed.add(likelihoods);
  }
  hashes["local level smoothed"] = smoothed.value();
  hashes["local level fitted"] = fitted.value();
  hashes["local level of scale mixtures"] = mixed.value();
}

// The kernels alone: which weight and threshold belong to the data goes through the system's exp and erf.
template <class T>
void add_posteriors(Hashes& hashes) {
  constexpr double kSigma = 0.0625, kWeight = 0.125, kThreshold = 2.5, kRate = 0.375;
  const auto& kernel = rpsd::active_table<T>();
  Hash mean, median, odds, laplace;
  for (const std::size_t n : kLengths) {
    const auto x = noise<T>(n, 31);
    std::vector<T> y(n);
    std::vector<double> likelier(n), sums(2);
    kernel.posterior_mean(x.data(), n, kSigma, kWeight, y.data(), sums.data());
    mean.add(y);
    kernel.posterior_median(x.data(), n, kSigma, kWeight, kThreshold, y.data());
    median.add(y);
    kernel.cauchy_odds(x.data(), n, 1 / kSigma, likelier.data());
    rpsd::active_kernels().ebayes.weight_score(likelier.data(), n, kWeight, sums.data());
    odds.add(likelier);
    odds.add(sums);
    kernel.laplace_mean(x.data(), n, kSigma, kWeight, kRate, y.data());
    kernel.laplace_median(y.data(), n, kSigma, kWeight, kRate, kThreshold, y.data());
    laplace.add(y);
  }
  hashes[std::string("posterior mean") + TypeName<T>::value] = mean.value();
  hashes[std::string("posterior median") + TypeName<T>::value] = median.value();
  hashes[std::string("cauchy odds") + TypeName<T>::value] = odds.value();
  hashes[std::string("laplace prior") + TypeName<T>::value] = laplace.value();
}

Hashes all_paths(int threads) {
  Hashes hashes;
  add_levels(hashes);
  add_posteriors<double>(hashes);
  add_posteriors<float>(hashes);
  add_transforms<double>(threads, hashes);
  add_transforms<float>(threads, hashes);
  add_modwts<double>(threads, hashes);
  add_modwts<float>(threads, hashes);
  add_firs<double>(threads, hashes);
  add_firs<float>(threads, hashes);
  add_denoisers<double>(threads, hashes);
  add_denoisers<float>(threads, hashes);
  add_windows<double>(threads, hashes);
  add_windows<float>(threads, hashes);
  return hashes;
}

// A line for each path: sixteen hexadecimal digits, a space, its name.
Hashes read(const char* file) {
  Hashes golden;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    golden[line.substr(std::min<std::size_t>(17, line.size()))] = std::strtoull(line.c_str(), nullptr, 16);
  }
  CHECK(!golden.empty());
  return golden;
}

void compare(const Hashes& golden, const Hashes& found, int threads) {
  for (const auto& [name, hash] : golden) {
    const auto path = found.find(name);
    if (path == found.end() || path->second != hash) {
      ++failure_count();
      std::fprintf(stderr, "%s, %d threads: %s\n", name.c_str(), threads,
                   path == found.end() ? "no such path" : "other bits than the golden ones");
    }
  }
  for (const auto& [name, hash] : found)
    if (golden.count(name) == 0) {
      ++failure_count();
      std::fprintf(stderr, "%s: no golden value (found %016llx)\n", name.c_str(),
                   static_cast<unsigned long long>(hash));
    }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: test_golden FILE | --print\n");
    return 2;
  }
  const char* const forced = std::getenv("RPSD_ISA");
  const auto isas = rpsd::supported_isas();
  if (forced != nullptr && std::find(isas.begin(), isas.end(), forced) == isas.end()) {
    std::printf("not run: this processor has no %s\n", forced);
    return kSkipped;
  }
  if (std::strcmp(arguments[1], "--print") == 0) {
    for (const auto& [name, hash] : all_paths(1))
      std::printf("%016llx %s\n", static_cast<unsigned long long>(hash), name.c_str());
    return 0;
  }
  const auto golden = read(arguments[1]);
  for (const int threads : {1, 3}) {
    const auto found = all_paths(threads);
    compare(golden, found, threads);
    std::printf("%zu paths on %d threads, instruction set %s\n", found.size(), threads, rpsd::active_kernels().isa);
  }
  return failed();
}
