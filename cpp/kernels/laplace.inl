// SPDX-License-Identifier: MIT
// Johnstone & Silverman (2004, 2005) with the Laplace prior: a coefficient z = m + N(0, 1) whose m is 0 with probability
// 1 - w and else has the density a/2 exp(-a |m|). For z >= 0 completing squares leaves two cut normal densities of m:
// above 0 about z - a, below 0 about z + a. In units of phi(z) they weigh a/2 R(a - z) and a/2 R(a + z), with Mills' ratio R.
#pragma once

namespace {

constexpr double kRootTwoPi = 2.5066282746310002;

// R(a - z) and R(a + z) for z up to kCertain; R(-u) = sqrt(2 pi) e^(u^2/2) - R(u).
struct LaplaceParts {
  double above, below;
};

inline LaplaceParts laplace_parts(double z, double a) noexcept {
  const double u = a - z, inner = mills_ratio(magnitude(u));
  const double outer = kRootTwoPi * exponential(u * u / 2).value() - inner;
  return {u < 0 ? outer : inner, mills_ratio(a + z)};
}

// (marginal density of z where m is not 0) / phi(z) - 1 = a/2 (R(a - z) + R(a + z)) - 1, and its derivative by a, with
// R'(u) = u R(u) - 1.
inline void laplace_odds(const double* z, size_t n, double a, double* odds, double* slopes) noexcept {
  double size[kMedianGroup];
  for (size_t i = 0; i < n; i += kMedianGroup) {
    const size_t members = n - i < kMedianGroup ? n - i : kMedianGroup;
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) size[k] = held(z[i + k], kCertain);
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) {
      const LaplaceParts part = laplace_parts(size[k], a);
      const double half = (part.above + part.below) / 2;
      odds[i + k] = a * half - 1;
      slopes[i + k] = half + a / 2 * ((a - size[k]) * part.above + (a + size[k]) * part.below - 2);
    }
  }
}

inline double laplace_score(const double* odds, const double* slopes, size_t n, double weight) noexcept {
  double sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    RPSD_UNROLL
    for (size_t k = 0; k < 16; ++k) sums[k] += slopes[i + k] / (1 + weight * odds[i + k]);
  }
  for (size_t k = 0; i + k < n; ++k) sums[k] += slopes[i + k] / (1 + weight * odds[i + k]);
  for (size_t width = 8; width > 0; width /= 2)
    for (size_t k = 0; k < width; ++k) sums[k] += sums[k + width];
  return sums[0];
}

// size[k] = |x[k]| / sigma, z[k] the same up to kCertain.
template <class T>
inline void sizes_of(const T* x, size_t n, double inverse_sigma, double* size, double* z) noexcept {
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) size[k] = magnitude(static_cast<double>(x[k])) * inverse_sigma;
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) z[k] = held(size[k], kCertain);
}

// E(m | z): the two parts have the first moments 1 + (z - a) R(a - z) and (z + a) R(a + z) - 1. Beyond kCertain the upper
// part is all there is.
template <class T>
void laplace_mean(const T* x, size_t n, double sigma, double weight, double a, T* out) noexcept {
  const double inverse_sigma = 1 / sigma, against = 2 * (1 - weight) / (weight * a);
  double size[kMedianGroup], z[kMedianGroup];
  for (size_t i = 0; i < n; i += kMedianGroup) {
    const size_t members = n - i < kMedianGroup ? n - i : kMedianGroup;
    sizes_of(x + i, members, inverse_sigma, size, z);
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) {
      const LaplaceParts part = laplace_parts(z[k], a);
      const double both = part.above + part.below;
      z[k] = (z[k] * both - a * (part.above - part.below)) / (against + both);
    }
    for (size_t k = 0; k < members; ++k) {
      const double mean = size[k] > kCertain ? size[k] - a : z[k];
      const double shrunk = mean > 0 ? sigma * mean : 0;
      out[i + k] = static_cast<T>(x[i + k] < T(0) ? -shrunk : shrunk);
    }
  }
}

// d >= 0 with P(Z > d) = p for a standard normal Z, 0 < p <= 1/2. Newton steps on the logarithm, whose derivative is
// -1 / R(d) and which is concave: from the first step on they come down to the root. The logarithm of a ratio near 1 is
// 2 (ratio - 1) / (ratio + 1); seven steps leave rounding alone down to p = 1e-25.
inline void upper_quantiles(const double* p, size_t n, double* d) noexcept {
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) {
    // Exponent and fraction of 2 p, read as a fixed-point number, are its logarithm to base 2 within 0.05.
    const uint64_t fixed = (to_bits(2 * p[k]) >> 32) | 0x4330000000000000;
    d[k] = (from_bits(fixed) - 4503599627370496.0) / 1048576 - 1022.95;
  }
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) d[k] = 0.9 * sqrt(1.3862943611198906 * -held(d[k], 0));
  for (int step = 0; step < 7; ++step) {
    RPSD_INDEPENDENT
    for (size_t k = 0; k < n; ++k) {
      const double r = mills_ratio(d[k]);
      const double ratio = kNormalPeak * exponential(d[k] * d[k] * -0.5).value() * r / p[k];
      const double next = d[k] + 2 * (ratio - 1) / (ratio + 1) * r;
      d[k] = next > 0 ? next : 0;
    }
  }
}

// The posterior median, 0 up to the threshold. Above, it has half of all weight above it, of the part about z - a:
// P(Z > m - (z - a)) = q = phi(z - a) ((1 - w) / (w a) + (R(a - z) + R(a + z)) / 2).
template <class T>
void laplace_median(const T* x, size_t n, double sigma, double weight, double a, double threshold, T* out) noexcept {
  const double inverse_sigma = 1 / sigma, against = (1 - weight) / (weight * a);
  double size[kMedianGroup], z[kMedianGroup], q[kMedianGroup], p[kMedianGroup], d[kMedianGroup];
  for (size_t i = 0; i < n; i += kMedianGroup) {
    const size_t members = n - i < kMedianGroup ? n - i : kMedianGroup;
    sizes_of(x + i, members, inverse_sigma, size, z);
    bool any = false;
    for (size_t k = 0; k < members; ++k) any |= size[k] > threshold;
    if (any) {
      RPSD_INDEPENDENT
      for (size_t k = 0; k < members; ++k) {
        const LaplaceParts part = laplace_parts(z[k], a);
        const double u = a - z[k];
        q[k] = kNormalPeak * exponential(u * u * -0.5).value() * (against + (part.above + part.below) / 2);
      }
      RPSD_INDEPENDENT
      for (size_t k = 0; k < members; ++k) {
        const double smaller_tail = q[k] < 0.5 ? q[k] : 1 - q[k];
        p[k] = smaller_tail > 1e-300 ? smaller_tail : 1e-300;
      }
      upper_quantiles(p, members, d);
    }
    for (size_t k = 0; k < members; ++k) {
      const bool kept = size[k] > threshold;
      const double median = kept ? size[k] - (q[k] < 0.5 ? a - d[k] : a + d[k]) : 0;
      const double shrunk = median > 0 ? sigma * median : 0;
      out[i + k] = static_cast<T>(x[i + k] < T(0) ? -shrunk : shrunk);
    }
  }
}

}  // namespace
