// SPDX-License-Identifier: MIT
// Johnstone & Silverman (2004, 2005): a coefficient z = m + N(0, 1) whose m is 0 with probability 1 - w and else has the
// quasi-Cauchy density g(m) = (1 - |m| R(|m|)) / sqrt(2 pi), with R(m) = (1 - Phi(m)) / phi(m), Mills' ratio.
// Everything is + - x / and square roots of doubles, so that the bits are the same on every system.
#pragma once

namespace {

inline double from_bits(uint64_t bits) noexcept {
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

inline uint64_t to_bits(double v) noexcept {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

// e^y = two_k (1 + r p) with |r| <= ln 2 / 2 and p = (e^r - 1) / r by its series; |y| <= 700.
struct Exponential {
  double two_k, rp;
  double value() const noexcept { return two_k + two_k * rp; }
  double less_one() const noexcept { return two_k * rp + (two_k - 1); }
};

inline Exponential exponential(double y) noexcept {
  constexpr double kRound = 6755399441055744.0;  // 1.5 2^52: what is added to it is rounded to an integer
  const double shifted = y * 1.4426950408889634 + kRound;
  const double k = shifted - kRound;
  const double r = (y - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 1.0 / 2;
  p = p * r + 1;
  return {from_bits((to_bits(shifted) + 1023) << 52), r * p};
}

// R(m) for m >= 0: (m + 4) R is smooth in (m - 4) / (m + 4) (Shepherd & Laframboise 1981). The polynomial is the
// Chebyshev expansion to degree 22, in powers; its relative error is below 1e-15.
inline double mills_ratio(double m) noexcept {
  const double t = (m - 4) / (m + 4);
  double p = -4.2328371286680228e-9;
  p = p * t - 3.2015537235375595e-9;
  p = p * t + 4.0274966446679242e-8;
  p = p * t + 4.9053735092410555e-8;
  p = p * t - 1.974812079272745e-7;
  p = p * t - 4.0665439602468896e-7;
  p = p * t + 6.6358904834955183e-7;
  p = p * t + 2.5742673078165543e-6;
  p = p * t - 1.5665301434775512e-6;
  p = p * t - 1.4846493010422612e-5;
  p = p * t + 1.7912419621396938e-6;
  p = p * t + 8.8096960602118972e-5;
  p = p * t - 4.7818346774363287e-6;
  p = p * t - 0.00057926960650736634;
  p = p * t + 0.00033424436493913651;
  p = p * t + 0.0040878557264789955;
  p = p * t - 0.0087222952482000366;
  p = p * t - 0.018900450865484503;
  p = p * t + 0.1513917623110474;
  p = p * t - 0.46754096299818737;
  p = p * t + 0.97040955486761771;
  p = p * t - 1.5237709108199851;
  p = p * t + 1.8932190633084853;
  return p / (m + 4);
}

constexpr double kNormalPeak = 0.3989422804014327;  // phi(0)

// Where e^(z^2/2) still is a number; beyond, z is as good as certain not to be noise.
constexpr double kCertain = 35;

inline double held(double v, double most) noexcept { return v < most ? v : most; }

// Values worked on at a time. Limits are kept in a loop of their own: GCC makes a branch of what follows a limit in
// the same loop, and leaves that loop scalar.
constexpr size_t kMedianGroup = 64;

// y[k] = min(|x[k]| / sigma, kCertain)^2 / 2, above 0.
template <class T>
inline void half_squares(const T* x, size_t n, double inverse_sigma, double* y) noexcept {
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) {
    const double z = held(magnitude(static_cast<double>(x[k])) * inverse_sigma, kCertain);
    y[k] = z * z / 2 + 1e-30;
  }
}

// (marginal density of z where m is not 0) / phi(z) - 1 = (e^(z^2/2) - 1) / z^2 - 1.
template <class T>
void cauchy_odds(const T* x, size_t n, double inverse_sigma, double* odds) noexcept {
  double y[kMedianGroup];
  for (size_t i = 0; i < n; i += kMedianGroup) {
    const size_t members = n - i < kMedianGroup ? n - i : kMedianGroup;
    half_squares(x + i, members, inverse_sigma, y);
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) odds[i + k] = exponential(y[k]).less_one() / (2 * y[k]) - 1;
  }
}

// The derivative of the log marginal likelihood by the weight, and the sum of the squares of its terms.
inline void weight_score(const double* odds, size_t n, double weight, double* sums) noexcept {
  double score[16] = {}, squares[16] = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    RPSD_UNROLL
    for (size_t k = 0; k < 16; ++k) {
      const double q = odds[i + k] / (1 + weight * odds[i + k]);
      score[k] += q;
      squares[k] += q * q;
    }
  }
  for (size_t k = 0; i + k < n; ++k) {
    const double q = odds[i + k] / (1 + weight * odds[i + k]);
    score[k] += q;
    squares[k] += q * q;
  }
  for (size_t width = 8; width > 0; width /= 2)
    for (size_t k = 0; k < width; ++k) {
      score[k] += score[k + width];
      squares[k] += squares[k + width];
    }
  sums[0] = score[0];
  sums[1] = squares[0];
}

// E(m | z) = P B with P = P(m is not 0 | z) and B = z - 2/z + z / (e^(z^2/2) - 1); by its series where that cancels.
// slopes, if wanted: the sum of dE/dz = P (1 - P) B^2 + P dB/dz, as P rises by P (1 - P) B.
template <class T>
void posterior_mean(const T* x, size_t n, double sigma, double weight, T* out, double* slopes) noexcept {
  constexpr double kNear = 0.25;
  const double inverse_sigma = 1 / sigma, against = (1 - weight) / weight;
  double y[kMedianGroup], growth[kMedianGroup], sums[16] = {};
  for (size_t i = 0; i < n; i += kMedianGroup) {
    const size_t members = n - i < kMedianGroup ? n - i : kMedianGroup;
    half_squares(x + i, members, inverse_sigma, y);
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) growth[k] = exponential(y[k]).less_one();
    if (slopes != nullptr) {
      double slope[kMedianGroup];
      RPSD_INDEPENDENT
      for (size_t k = 0; k < members; ++k) {
        const double z = sqrt(2 * y[k]), p = growth[k] / (growth[k] + against * (2 * y[k]));
        const double share = y[k] / growth[k];
        const double b = z < kNear ? z / 2 + z * y[k] * (1.0 / 12 - y[k] * y[k] / 720) : z - 2 / z + z / growth[k];
        const double rise = z < kNear ? 0.5 + y[k] * (0.25 - y[k] * y[k] * (7.0 / 720))
                                      : 1 + 1 / y[k] + 1 / growth[k] - 2 * share * (1 + 1 / growth[k]);
        slope[k] = p * (1 - p) * b * b + p * rise;
      }
      for (size_t k = 0; k < members; ++k) sums[k % 16] += slope[k];
    }
    RPSD_INDEPENDENT
    for (size_t k = 0; k < members; ++k) {
      const double z = magnitude(static_cast<double>(x[i + k])) * inverse_sigma;
      const double nonzero = growth[k] / (growth[k] + against * (2 * y[k]));
      const double series = z / 2 + z * y[k] * (1.0 / 12 - y[k] * y[k] / 720);
      const double far = z - 2 / (z + 1e-300) + z / growth[k];
      const double shrunk = sigma * nonzero * (z < kNear ? series : far);
      out[i + k] = static_cast<T>(x[i + k] < T(0) ? -shrunk : shrunk);
    }
  }
  if (slopes == nullptr) return;
  *slopes = 0;
  for (const double sum : sums) *slopes += sum;
}

// z - median(m | z) for kLeast <= z. With d = z - m it solves phi(d) (R(d) + R(m) + z (1 - m R(m))) = q(z), which
// comes of integrating phi(z - u) g(u) from m on. Newton steps on the logarithm of the left side, whose derivative is
// known in closed form; four of them from the rough quantile below leave less than 1e-12, one more is for safety.
constexpr double kLeast = 0.004, kFar = 30;

// All z of a group take a step together, each by itself.
inline void median_shrinkages(const double* z, size_t n, double against, double* d) noexcept {
  double q[kMedianGroup], p[kMedianGroup];
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) {
    const double z2 = z[k] * z[k];
    q[k] = 0.5 - 0.5 * exponential(z2 * -0.5).value() * (against * z2 - 1);
  }
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) {
    q[k] = q[k] > 1e-300 ? q[k] : 1e-300;
    p[k] = held(2 * q[k], 1);
  }
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k) {
    // Exponent and fraction of p, read as a fixed-point number, are its logarithm to base 2 within 0.05.
    const uint64_t fixed = (to_bits(p[k]) >> 32) | 0x4330000000000000;
    p[k] = (from_bits(fixed) - 4503599627370496.0) / 1048576 - 1022.95;
  }
  RPSD_INDEPENDENT
  for (size_t k = 0; k < n; ++k)
    d[k] = held(0.9 * sqrt(1.3862943611198906 * -held(p[k], 0)) + 2 / (z[k] + 2), z[k]);
  for (int step = 0; step < 5; ++step) {
    RPSD_INDEPENDENT
    for (size_t k = 0; k < n; ++k) {
      const double m = z[k] - d[k], r = mills_ratio(m);
      const double slope = 1 - m * r, sum = mills_ratio(d[k]) + r + z[k] * slope;
      const double ratio = kNormalPeak * exponential(d[k] * d[k] * -0.5).value() * sum / q[k];
      const double next = d[k] + 2 * (ratio - 1) / (ratio + 1) * sum / (z[k] * z[k] * slope);
      d[k] = held(next > 0 ? next : 0, z[k]);
    }
  }
}

// Its expansion in 1/z where the noise is out of the question.
inline double far_shrinkage(double z) noexcept {
  const double u = 1 / z, u2 = u * u;
  return u * (2 + u2 * (-2.0 / 3 + u2 * (38.0 / 15 + u2 * (-1654.0 / 105 + u2 * (383686.0 / 2835)))));
}

// The posterior median: 0 up to the threshold, which belongs to the weight.
template <class T>
void posterior_median(const T* x, size_t n, double sigma, double weight, double threshold, T* out) noexcept {
  const double inverse_sigma = 1 / sigma, against = (1 - weight) / weight;
  double z[kMedianGroup] = {}, d[kMedianGroup];
  size_t place[kMedianGroup];
  const auto settle = [&](size_t members) {
    // The equation loses its digits as z goes to 0: a line from the threshold to kLeast there.
    double near[kMedianGroup];
    for (size_t k = 0; k < members; ++k) {
      near[k] = z[k] > kLeast ? sigma : sigma * ((z[k] - threshold) / (kLeast - threshold));
      z[k] = z[k] > kLeast ? z[k] : kLeast;
    }
    median_shrinkages(z, members, against, d);
    for (size_t k = 0; k < members; ++k) {
      const double shrunk = near[k] * (z[k] - d[k]);
      out[place[k]] = static_cast<T>(out[place[k]] < T(0) ? -shrunk : shrunk);
    }
  };
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    const T value = x[i];
    const double size = magnitude(static_cast<double>(value)) * inverse_sigma;
    out[i] = size > threshold ? value : T(0);
    if (size >= kFar) {
      const double shrunk = sigma * (size - far_shrinkage(size));
      out[i] = static_cast<T>(value < T(0) ? -shrunk : shrunk);
    } else if (size > threshold) {
      z[count] = size;
      place[count] = i;
      if (++count == kMedianGroup) {
        settle(count);
        count = 0;
      }
    }
  }
  settle(count);
}

}  // namespace
