// SPDX-License-Identifier: MIT
#include "rpsd/wavelet_contest.hpp"

#include <algorithm>
#include <cmath>

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

FilterBank haar() {
  const double h = std::sqrt(0.5);
  return {{h, h}, {-h, h}, {h, h}, {h, -h}};
}

double sum_of_squares(const double* x, const double* y, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) sum += (x[t] - y[t]) * (x[t] - y[t]);
  return sum;
}

}  // namespace

WaveletContest::WaveletContest(const FilterBank& smooth)
    : transforms_{Modwt<double>(smooth), Modwt<double>(haar())}, taps_(transforms_[0].taps()) {}

bool WaveletContest::is_for(std::size_t n) noexcept { return n >= kShortest && n <= kLongest; }

WaveletContest::Risk WaveletContest::estimate(const Modwt<double>& transform, const double* y, std::size_t n, int level,
                                              const double* coefficients, double noise_sd, double* out,
                                              WaveletContestScratch& scratch) const {
  const std::size_t period = 2 * n, rows = static_cast<std::size_t>(level) + 1;
  const auto& kernel = active_table<double>();
  double* const shrunk = scratch.shrunk.get(rows * period);
  double* const moved = scratch.moved.get(period);
  std::copy(coefficients, coefficients + period, shrunk);  // the smooth stays as it is
  double scale = 1, freedom = static_cast<double>(n) * std::ldexp(1.0, -level);
  for (int j = 1; j <= level; ++j) {
    // White noise of standard deviation s has details of standard deviation s / 2^(j/2); a filter of level j has the
    // energy 2^-j, which is what the slope of each coefficient's shrinkage adds to the divergence.
    scale /= std::sqrt(2.0);
    const double sigma = noise_sd * scale;
    const std::size_t at = (rows - static_cast<std::size_t>(j)) * period;
    const double* const d = coefficients + at;
    const double weight = fit_ebayes(d, period, sigma, scratch.odds).weight;
    kernel.posterior_mean(d, period, sigma, weight, shrunk + at);
    // Wide differences: the curve is smooth on this scale, and rounding must not move what is decided by it.
    const double step = 0.1 * sigma;
    double rise = 0;
    for (const double side : {step, -step}) {
      for (std::size_t t = 0; t < period; ++t) moved[t] = d[t] + side;
      kernel.posterior_mean(moved, period, sigma, weight, moved);
      for (std::size_t t = 0; t < period; ++t) rise += side > 0 ? moved[t] : -moved[t];
    }
    freedom += rise / (2 * step) / 2 * scale * scale;  // the series and its mirror count as one
  }
  double* const both = scratch.doubled.get(period);
  transform.inverse(shrunk, period, level, both, scratch.transform);
  std::copy(both, both + n, out);
  const auto samples = static_cast<double>(n);
  return {(sum_of_squares(y, out, n) / (noise_sd * noise_sd) + 2 * freedom) / samples - 1, freedom / samples};
}

ContestResult WaveletContest::run(const double* y, std::size_t n, const Smoother& smoother, double* out,
                                  WaveletContestScratch& scratch) const {
  const ContestResult none{0, smoother.risk};
  const auto samples = static_cast<double>(n);
  const int level = std::min(kDeepest, static_cast<int>(std::log2(samples / static_cast<double>(taps_ - 1))));
  if (level < 1) return none;
  const std::size_t period = 2 * n, size = (static_cast<std::size_t>(level) + 1) * period;
  double* const coefficients = scratch.coefficients.get(2 * size);
  double* const estimates = scratch.estimates.get(2 * n);
  for (std::size_t w = 0; w < 2; ++w) {
    double* const both = scratch.doubled.get(period);
    std::copy(y, y + n, both);
    std::reverse_copy(y, y + n, both + n);
    transforms_[w].forward(both, period, level, coefficients + w * size, scratch.transform);
  }
  const double finest =
      mad_noise(coefficients + size - period, period, scratch.selection) * std::sqrt(2.0);
  const double sd = std::min(smoother.noise_sd, finest);
  if (!(sd > 0)) return none;

  // First whether wavelets are better, under the smaller noise: that of the finest details has price steps in it.
  const double unit = (smoother.noise_sd / sd) * (smoother.noise_sd / sd);
  const double own = sum_of_squares(y, smoother.mean, n) / (sd * sd * samples) + 2 * smoother.risk * std::min(unit, 1.0) - 1;
  const auto likelihood = [&](double risk) { return -samples * (risk - own) / kTemperature - kHeadStart; };
  double odds = 0;
  for (std::size_t w = 0; w < 2; ++w)
    odds += std::exp(std::min(700.0, likelihood(estimate(transforms_[w], y, n, level, coefficients + w * size, sd,
                                                         estimates + w * n, scratch).unbiased)));
  const double share = odds / (1 + odds);
  if (!(share > kLeastShare)) return none;

  // Then how: for a signal that is smooth or spiky the finest details do tell the noise.
  Risk risks[2];
  for (std::size_t w = 0; w < 2; ++w)
    risks[w] = estimate(transforms_[w], y, n, level, coefficients + w * size, finest, estimates + w * n, scratch);
  const double second = 1 / (1 + std::exp(std::clamp(samples * (risks[1].unbiased - risks[0].unbiased) / (2 * kTemperature), -700.0, 700.0)));
  for (std::size_t t = 0; t < n; ++t) {
    const double wavelets = (1 - second) * estimates[t] + second * estimates[n + t];
    out[t] = (1 - share) * smoother.mean[t] + share * wavelets;
  }
  const double theirs = ((1 - second) * risks[0].posterior + second * risks[1].posterior) * (finest * finest) /
                        (smoother.noise_sd * smoother.noise_sd);
  return {share, (1 - share) * smoother.risk + share * theirs};
}

}  // namespace rpsd
