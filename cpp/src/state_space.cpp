// SPDX-License-Identifier: MIT
#include "rpsd/state_space.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rpsd {
namespace {

constexpr double kLog2Pi = 1.8378770664093453;

double filter(const LocalLevel& p, double* mean, double* variance) {
  double m = p.y[0], v = p.r[0], ll = 0;
  mean[0] = m, variance[0] = v;
  for (std::size_t t = 1; t < p.n; ++t) {
    v += p.q[t];
    if (p.seen[t] > 0) {
      const double f = v + p.r[t], e = p.y[t] - m, k = v / f;
      ll -= 0.5 * (kLog2Pi + std::log(f) + e * e / f);
      m += k * e;
      v = k * p.r[t];
    }
    mean[t] = m, variance[t] = v;
  }
  return ll;
}

double smooth(const LocalLevel& p, const Smoothed& out) {
  const double ll = filter(p, out.mean, out.variance);
  double m = out.mean[p.n - 1], v = out.variance[p.n - 1];
  for (std::size_t t = p.n - 1; t-- > 0;) {
    const double q = p.q[t + 1], predicted = out.variance[t] + q, j = out.variance[t] / predicted, h = q / predicted;
    const double gap = m - out.mean[t];
    out.step_square[t + 1] = h * gap * h * gap + h * h * v + j * q;
    m = out.mean[t] = out.mean[t] + j * gap;
    v = out.variance[t] = j * j * v + j * q;
  }
  out.step_square[0] = 0;
  return ll;
}

double gpb1(const ScaleMixture& s) {
  const LocalLevel& b = s.base;
  std::vector<double> first;
  for (std::size_t t = 0; t < b.n && first.size() < 5; ++t)
    if (b.seen[t] > 0) first.push_back(b.y[t]);
  std::sort(first.begin(), first.end());
  double m = first[first.size() / 2], p = 100, ll = 0, mean_scale = 0;
  for (std::size_t k = 0; k < kStepScales; ++k) mean_scale += s.step_weights[k] * std::ldexp(1.0, 2 * static_cast<int>(k));
  for (std::size_t t = 0; t < b.n; ++t) {
    if (!(b.seen[t] > 0)) {
      p += mean_scale * b.q[t];
      continue;
    }
    const double e = b.y[t] - m;
    double lw[48], mm[48], vv[48], top = -1e300;
    std::size_t c = 0;
    for (std::size_t k = 0; k < kStepScales; ++k)
      for (std::size_t l = 0; l < kNoiseScales; ++l) {
        const double w = s.step_weights[k], u = s.noise_weights[l];
        if (w < 1e-12 || u < 1e-12) continue;
        const double pp = p + (t > 0 ? b.q[t] * std::ldexp(1.0, 2 * static_cast<int>(k)) : 0);
        const double r = b.r[t] * std::ldexp(1.0, 2 * static_cast<int>(l)), f = pp + r, g = pp / f;
        lw[c] = std::log(w * u) - 0.5 * (kLog2Pi + std::log(f) + e * e / f);
        top = std::max(top, lw[c]);
        mm[c] = g * e, vv[c] = g * r, ++c;
      }
    double sum = 0, mean = 0, square = 0;
    for (std::size_t i = 0; i < c; ++i) {
      const double w = std::exp(lw[i] - top);
      sum += w, mean += w * mm[i], square += w * (vv[i] + mm[i] * mm[i]);
    }
    mean /= sum;
    p = square / sum - mean * mean;
    m += mean;
    ll += top + std::log(sum);
  }
  return ll;
}

}  // namespace

void smooth(const LocalLevel* problems, const Smoothed* out, std::size_t count, double* log_likelihoods) {
  for (std::size_t i = 0; i < count; ++i) {
    const double ll = smooth(problems[i], out[i]);
    if (log_likelihoods != nullptr) log_likelihoods[i] = ll;
  }
}

void log_likelihood(const LocalLevel* problems, std::size_t count, double* out) {
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> mean(problems[i].n), variance(problems[i].n);
    out[i] = filter(problems[i], mean.data(), variance.data());
  }
}

void mixture_log_likelihood(const ScaleMixture* problems, std::size_t count, double* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = gpb1(problems[i]);
}

}  // namespace rpsd
