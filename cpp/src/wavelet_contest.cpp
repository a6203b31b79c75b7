// SPDX-License-Identifier: MIT
#include "rpsd/wavelet_contest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "rpsd/cpu.hpp"
#include "rpsd/ebayes.hpp"
#include "rpsd/noise_model.hpp"

namespace rpsd {
namespace {

// Shorter series cannot tell, longer ones are prices.
constexpr std::size_t kShortest = 256, kLongest = 65536;
constexpr int kDeepest = 8;
// Exponential weights at this temperature, in units of the noise's variance (Leung & Barron 2006), and a head start for
// the smoother, in nats: on walks plus noise the average then costs less than 0.01 dB.
constexpr double kTemperature = 4, kHeadStart = 2;
// A share of wavelets below this is none.
constexpr double kLeastShare = 0.01;
// Decimated wavelets take a tenth of the time. Where their risk is above the smoother's by this factor, translation
// invariance does not make up for it (docs/decisions/0010-price-model.md).
constexpr double kHopeless = 1.27;
// Nor is what wavelets make under the finest details' noise believed, where its risk under the smaller noise is above the
// smoother's by this factor: the finest details are steps then. Of walks it is 1.9 and more, of signals at most 1.05.
constexpr double kUnlikely = 1.27;

FilterBank haar() {
  const double h = std::sqrt(0.5);
  return {{h, h}, {-h, h}, {h, h}, {h, -h}};
}

double sum_of_squares(const double* x, const double* y, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) sum += (x[t] - y[t]) * (x[t] - y[t]);
  return sum;
}

// The smoother's risk by Stein's unbiased estimate under a noise of this standard deviation, in units of its variance. The
// square of a single sample it left out could outweigh all others; wavelets keep such a sample on any walk.
double own_risk(const double* y, std::size_t n, const Smoother& smoother, double sd) noexcept {
  const double unit = std::min((smoother.noise_sd / sd) * (smoother.noise_sd / sd), 1.0);
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) sum += (1 - smoother.left_out[t]) * (y[t] - smoother.mean[t]) * (y[t] - smoother.mean[t]);
  return sum / (sd * sd * static_cast<double>(n)) + 2 * smoother.risk * unit - 1;
}

// Details of one level to their posterior means, in out; returns the sum of the slopes of that curve.
double shrink(const double* d, std::size_t n, double sigma, double* out, WaveletContestScratch& scratch) {
  double slopes = 0;
  const double weight = fit_ebayes(d, n, sigma, scratch.odds).weight;
  active_table<double>().posterior_mean(d, n, sigma, weight, out, &slopes);
  return slopes;
}

}  // namespace

WaveletContest::WaveletContest(const FilterBank& smooth)
    : transforms_{Modwt<double>(smooth), Modwt<double>(haar())},
      decimated_{Transform<double>(smooth, Boundary::symmetric), Transform<double>(haar(), Boundary::symmetric)} {}

bool WaveletContest::is_for(std::size_t n) noexcept { return n >= kShortest && n <= kLongest; }

WaveletContest::Risk WaveletContest::estimate(const Modwt<double>& transform, const double* y, std::size_t n, int level,
                                              const double* coefficients, double noise_sd, double* out,
                                              WaveletContestScratch& scratch) const {
  const std::size_t period = 2 * n, rows = static_cast<std::size_t>(level) + 1;
  double* const shrunk = scratch.shrunk.get(rows * period);
  std::copy(coefficients, coefficients + period, shrunk);  // the smooth stays as it is
  double scale = 1, freedom = static_cast<double>(n) * std::ldexp(1.0, -level);
  for (int j = 1; j <= level; ++j) {
    // White noise of standard deviation s has details of standard deviation s / 2^(j/2); a filter of level j has the
    // energy 2^-j, which is what the slope of each coefficient's shrinkage adds to the divergence.
    scale /= std::sqrt(2.0);
    const std::size_t at = (rows - static_cast<std::size_t>(j)) * period;
    // The series and its mirror count as one.
    freedom += shrink(coefficients + at, period, noise_sd * scale, shrunk + at, scratch) / 2 * scale * scale;
  }
  double* const both = scratch.doubled.get(period);
  transform.inverse(shrunk, period, level, both, scratch.transform);
  std::copy(both, both + n, out);
  const auto samples = static_cast<double>(n);
  return {(sum_of_squares(y, out, n) / (noise_sd * noise_sd) + 2 * freedom) / samples - 1, freedom / samples};
}

double WaveletContest::decimated_risk(const double* y, std::size_t n, int level, double noise_sd,
                                      WaveletContestScratch& scratch) const {
  double least = std::numeric_limits<double>::infinity();
  for (const Transform<double>& transform : decimated_) {
    std::vector<std::size_t> lengths = level_lengths(transform, n, level);
    lengths.push_back(lengths.back());
    std::vector<Batch<double>> coefficients;
    double* at = scratch.coefficients.get(2 * n + 2 * lengths.size() * transform.taps());
    for (std::size_t j = lengths.size(); j-- > 0; at += lengths[j])
      coefficients.push_back({at, 1, lengths[j], lengths[j]});
    wavedec(transform, {y, 1, n, n}, level, coefficients, 1);
    auto risk = static_cast<double>(lengths.back());  // the smooth stays as it is
    for (std::size_t j = 1; j < coefficients.size(); ++j) {
      const std::size_t m = coefficients[j].length;
      const double* const d = coefficients[j].data;
      double* const shrunk = scratch.shrunk.get(m);
      const double slopes = shrink(d, m, noise_sd, shrunk, scratch);
      risk += sum_of_squares(d, shrunk, m) / (noise_sd * noise_sd) + 2 * slopes - static_cast<double>(m);
    }
    least = std::min(least, risk / static_cast<double>(n));
  }
  return least;
}

ContestResult WaveletContest::run(const double* y, std::size_t n, const Smoother& smoother, double* out,
                                  WaveletContestScratch& scratch) const {
  const ContestResult none{0, smoother.risk, 0};
  const auto samples = static_cast<double>(n);
  const int level = std::min(kDeepest, decimated_[0].max_level(n));
  if (level < 1) return none;
  const std::size_t period = 2 * n, size = (static_cast<std::size_t>(level) + 1) * period;
  double* const both = scratch.doubled.get(period);
  std::copy(y, y + n, both);
  std::reverse_copy(y, y + n, both + n);
  double* const coefficients = scratch.coefficients.get(2 * size);
  transforms_[0].forward(both, period, 1, coefficients, scratch.transform);
  const double finest = mad_noise(coefficients + period, period, scratch.selection) * std::sqrt(2.0);
  const double sd = std::min(smoother.noise_sd, finest);
  if (!(sd > 0)) return none;

  // First whether wavelets are better, under the smaller noise: that of the finest details has price steps in it.
  const double own = own_risk(y, n, smoother, sd);
  if (decimated_risk(y, n, level, sd, scratch) > kHopeless * own) return none;
  for (std::size_t w = 0; w < 2; ++w)
    transforms_[w].forward(both, period, level, coefficients + w * size, scratch.transform);
  double* const estimates = scratch.estimates.get(2 * n);
  const auto likelihood = [&](double risk) { return -samples * (risk - own) / kTemperature - kHeadStart; };
  double odds = 0;
  for (std::size_t w = 0; w < 2; ++w)
    odds += std::exp(std::min(700.0, likelihood(estimate(transforms_[w], y, n, level, coefficients + w * size, sd,
                                                         estimates + w * n, scratch).unbiased)));
  const double share = odds / (1 + odds);
  if (!(share > kLeastShare)) return none;

  // Then how: for a signal that is smooth or spiky the finest details do tell the noise.
  Risk risks[2];
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t w = 0; w < 2; ++w) {
    risks[w] = estimate(transforms_[w], y, n, level, coefficients + w * size, finest, estimates + w * n, scratch);
    least = std::min(least, own_risk(y, n, {estimates + w * n, smoother.left_out, sd, risks[w].posterior}, sd));
  }
  if (least > kUnlikely * own) return none;
  const double second = 1 / (1 + std::exp(std::clamp(samples * (risks[1].unbiased - risks[0].unbiased) / (2 * kTemperature), -700.0, 700.0)));
  for (std::size_t t = 0; t < n; ++t) {
    const double wavelets = (1 - second) * estimates[t] + second * estimates[n + t];
    out[t] = (1 - share) * smoother.mean[t] + share * wavelets;
  }
  const double theirs = ((1 - second) * risks[0].posterior + second * risks[1].posterior) * (finest * finest) /
                        (smoother.noise_sd * smoother.noise_sd);
  return {share, (1 - share) * smoother.risk + share * theirs, level};
}

}  // namespace rpsd
