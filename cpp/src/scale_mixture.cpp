// SPDX-License-Identifier: MIT
#include "rpsd/scale_mixture.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rpsd {
namespace {

struct Site {
  double narrow, wide, scaled_square;
};

template <std::size_t N>
Site tilt(double variance, double mean, double base, const double (&weights)[N], double* rho) {
  double inverse[N], sum = 0;
  const double last = 1 / (variance + base * std::ldexp(1.0, 2 * (static_cast<int>(N) - 1)));
  for (std::size_t k = 0; k < N; ++k) {
    inverse[k] = 1 / (variance + base * std::ldexp(1.0, 2 * static_cast<int>(k)));
    rho[k] = std::max(weights[k], 1e-250) * std::sqrt(inverse[k]) * std::exp(-0.5 * mean * mean * (inverse[k] - last));
    sum += rho[k];
  }
  Site site = {0, 0, 0};
  for (std::size_t k = 0; k < N; ++k) {
    const double scaled = base * std::ldexp(1.0, 2 * static_cast<int>(k));
    rho[k] /= sum;
    const double share = rho[k] * inverse[k];
    site.narrow += share;
    site.wide += share * scaled;
    site.scaled_square += share * base * (mean * mean * scaled * inverse[k] + variance);
  }
  site.narrow *= variance;
  return site;
}

}  // namespace

NoiseUpdate update_noise_sites(const NoiseSites& s) {
  NoiseUpdate out = {};
  double seen = 0;
  for (std::size_t t = 0; t < s.n; ++t) {
    const double p = std::max(s.variance[t], s.least_variance), left = std::max(1 - p / s.r[t], 1e-9), v = p / left;
    const double d = s.seen[t] * (s.y[t] - s.mean[t]) * (1 + v / s.r[t]);
    double rho[kNoiseScales];
    const Site site = tilt(v, d, s.noise_variance, s.weights, rho);
    const double r = v * site.wide / std::max(site.narrow, 1e-12);
    s.r[t] = std::min(std::max(r, 0.05 * s.noise_variance), 1e9 * s.noise_variance);
    seen += s.seen[t];
    out.noise_variance += s.seen[t] * site.scaled_square;
    for (std::size_t l = 0; l < kNoiseScales; ++l) out.responsibilities[l] += s.seen[t] * rho[l];
  }
  out.noise_variance /= seen;
  return out;
}

StepUpdate update_step_sites(const StepSites& s) {
  StepUpdate out = {};
  for (std::size_t t = 0; t < s.n; ++t) {
    const double step = t > 0 ? s.mean[t] - s.mean[t - 1] : 0, base = s.step_variance * s.shape[t];
    const double p = t > 0 ? std::max(s.step_square[t] - step * step, s.least_variance) : s.q[0] / 2;
    const double left = std::max(1 - p / s.q[t], 1e-9);
    double rho[kStepScales];
    const Site site = tilt(p / left, step / left, base, s.weights, rho);
    const double q = p / left * site.wide / std::max(site.narrow, 1e-12);
    s.scaled_square[t] = site.scaled_square;
    s.ratio[t] = std::min(std::max(q / base, 0.2), 1e6);
    if (t == 0) continue;
    out.step_variance += site.scaled_square / s.shape[t];
    for (std::size_t k = 0; k < kStepScales; ++k) out.responsibilities[k] += rho[k];
  }
  out.step_variance /= static_cast<double>(s.n - 1);
  return out;
}

void smooth_volatility(const double* u, std::size_t n, double* out) {
  const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(n) - 1, reach = std::max<std::ptrdiff_t>(0, std::min<std::ptrdiff_t>(60, last - 1));
  double total = 0;
  for (std::ptrdiff_t k = -reach; k <= reach; ++k) total += std::exp(-0.5 * static_cast<double>(k * k) / 400);
  for (std::ptrdiff_t t = 0; t <= last; ++t) {
    double sum = 0;
    for (std::ptrdiff_t k = -reach; k <= reach; ++k) {
      std::ptrdiff_t i = std::abs(t + k);
      if (i > last) i = 2 * last - i;
      sum += std::exp(-0.5 * static_cast<double>(k * k) / 400) / total * u[i];
    }
    out[t] = sum;
  }
}

void volatility_shape(const double* u, std::size_t n, double step_variance, double* shape) {
  std::vector<double> scaled(u, u + n);
  scaled[0] = scaled[1];
  for (double& v : scaled) v /= step_variance;
  smooth_volatility(scaled.data(), n, shape);
  double sum = 0;
  for (std::size_t t = 0; t < n; ++t) shape[t] = std::max(shape[t], 0.02);
  for (std::size_t t = 1; t < n; ++t) sum += shape[t];
  for (std::size_t t = 0; t < n; ++t) shape[t] /= sum / static_cast<double>(n - 1);
}

}  // namespace rpsd
