// SPDX-License-Identifier: MIT
// Exponential and logarithm of vectors of double from + - * / and operations on bits alone, hence the same bits in every
// instruction set and on every system; and the few element-wise choices that the recursions need.
//
// The argument is reduced by multiples of ln 2, whose upper 42 bits times any exponent are exact (Cody & Waite 1980).
// The polynomials interpolate (e^r - 1 - r) / r^2 at ten Chebyshev nodes of |r| <= ln(2)/2, and (log((1+s)/(1-s)) - 2s) /
// s^3 in s^2 at seven of 0 <= s^2 <= (3 - 2 sqrt(2))^2, computed in sixty digits and rounded; the relative errors that
// this leaves are 1.7e-17 and 5e-18. With rounding both functions are within 1.1 ulp (test_elementary).
#pragma once

#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>
#endif

namespace {

using Real = Vec<double>;
constexpr size_t kRealLanes = kLanes<double>;

#if defined(__GNUC__)
typedef uint64_t Bits __attribute__((vector_size(RPSD_VEC_BYTES)));

inline Real select_positive(const Real& condition, const Real& yes, const Real& no) noexcept {
  return condition > 0 ? yes : no;
}
inline Real larger(const Real& u, const Real& v) noexcept { return u > v ? u : v; }
inline Real smaller(const Real& u, const Real& v) noexcept { return u < v ? u : v; }
#else
struct Bits {
  uint64_t lane[kRealLanes];
#define RPSD_BITS_OPERATOR(op)                                            \
  friend Bits operator op(const Bits& u, const Bits& v) noexcept {        \
    Bits w;                                                               \
    for (size_t k = 0; k < kRealLanes; ++k) w.lane[k] = u.lane[k] op v.lane[k]; \
    return w;                                                             \
  }                                                                       \
  friend Bits operator op(const Bits& u, uint64_t v) noexcept {           \
    Bits w;                                                               \
    for (size_t k = 0; k < kRealLanes; ++k) w.lane[k] = u.lane[k] op v;   \
    return w;                                                             \
  }
  RPSD_BITS_OPERATOR(+)
  RPSD_BITS_OPERATOR(&)
  RPSD_BITS_OPERATOR(|)
  RPSD_BITS_OPERATOR(<<)
  RPSD_BITS_OPERATOR(>>)
#undef RPSD_BITS_OPERATOR
};

inline Real select_positive(const Real& condition, const Real& yes, const Real& no) noexcept {
  Real out;
  for (size_t k = 0; k < kRealLanes; ++k) out.lane[k] = condition.lane[k] > 0 ? yes.lane[k] : no.lane[k];
  return out;
}
inline Real larger(const Real& u, const Real& v) noexcept { return select_positive(u - v, u, v); }
inline Real smaller(const Real& u, const Real& v) noexcept { return select_positive(v - u, u, v); }
#endif

inline Bits bits_of(const Real& v) noexcept {
  Bits bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}
inline Real real_of(const Bits& bits) noexcept {
  Real v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

inline Real square_root(const Real& v) noexcept {
#if defined(RPSD_ISA_V4)
  return _mm512_maskz_sqrt_pd(0xFF, v);  // GCC 12 warns of the undefined register that the plain one takes
#elif defined(RPSD_ISA_V3)
  return _mm256_sqrt_pd(v);
#elif defined(__SSE2__)
  return _mm_sqrt_pd(v);
#elif defined(__aarch64__) && defined(__GNUC__)
  return (Real)vsqrtq_f64((float64x2_t)v);
#else
  double lanes[kRealLanes];
  store(lanes, v);
  for (size_t k = 0; k < kRealLanes; ++k) lanes[k] = sqrt(lanes[k]);
  return load(lanes);
#endif
}

constexpr int kMantissaBits = 52;
constexpr uint64_t kMantissaMask = (uint64_t{1} << kMantissaBits) - 1, kOneBits = 0x3FF0000000000000ull;
constexpr double kExponentBias = 1023, kTwo52 = 0x1p52;
constexpr double kLn2High = 0x1.62e42fefa3p-1, kLn2Low = 0x1.3de6af278ece6p-42;

// v > 0 normal: its mantissa in [1, 2) and its exponent.
inline Real mantissa(const Real& v) noexcept { return real_of((bits_of(v) & kMantissaMask) | kOneBits); }
inline Real exponent(const Real& v) noexcept {
  constexpr uint64_t kTwo52Bits = 0x4330000000000000ull;
  return real_of((bits_of(v) >> kMantissaBits) | kTwo52Bits) - splat(kTwo52 + kExponentBias);
}

// e^x for -708 <= x <= 709.
RPSD_ALWAYS_INLINE Real exponential_within(const Real& x) noexcept {
  constexpr double kLog2E = 0x1.71547652b82fep+0, kRound = 0x1.8p52;
  constexpr double kC[10] = {0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
                             0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
                             0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26};
  const Real shifted = x * splat(kLog2E) + splat(kRound), k = shifted - splat(kRound);
  const Real r = (x - k * splat(kLn2High)) - k * splat(kLn2Low);
  const Real r2 = r * r, r4 = r2 * r2;
  const Real p01 = splat(kC[0]) + splat(kC[1]) * r, p23 = splat(kC[2]) + splat(kC[3]) * r;
  const Real p45 = splat(kC[4]) + splat(kC[5]) * r, p67 = splat(kC[6]) + splat(kC[7]) * r;
  const Real p89 = splat(kC[8]) + splat(kC[9]) * r;
  const Real p = (p01 + p23 * r2) + r4 * ((p45 + p67 * r2) + r4 * p89);
  const Real power = splat(1) + (r + r2 * p);
  // The lowest bits of `shifted` are k as an integer: added to the exponent.
  return real_of(bits_of(power) + (bits_of(shifted) << kMantissaBits));
}

// e^x for x <= 709; zero from -708 down.
RPSD_ALWAYS_INLINE Real exponential(const Real& x) noexcept {
  const Real least = splat(-708);
  return select_positive(x - least, exponential_within(larger(least, x)), splat(0));
}

// log v for v > 0 normal.
RPSD_ALWAYS_INLINE Real logarithm(const Real& v) noexcept {
  constexpr double kSquareRoot2 = 0x1.6a09e667f3bcdp+0;
  constexpr double kC[7] = {0x1.5555555555558p-1, 0x1.99999999952d7p-2, 0x1.2492492df281ap-2, 0x1.c71c62e3f11e6p-3,
                            0x1.7462b51cb66b1p-3, 0x1.39fe51a7c18f9p-3, 0x1.2b5900de53b32p-3};
  const Real m = mantissa(v), upper = m - splat(kSquareRoot2);
  const Real k = exponent(v) + select_positive(upper, splat(1), splat(0));
  const Real f = select_positive(upper, m * splat(0.5), m) - splat(1);
  // log(1 + f) = 2s + s^3 P(s^2) with s = f / (2 + f), and 2s = f - s f.
  const Real s = f / (splat(2) + f), z = s * s, z2 = z * z;
  const Real p01 = splat(kC[0]) + splat(kC[1]) * z, p23 = splat(kC[2]) + splat(kC[3]) * z;
  const Real p45 = splat(kC[4]) + splat(kC[5]) * z;
  const Real p = (p01 + p23 * z2) + (z2 * z2) * (p45 + splat(kC[6]) * z2);
  return k * splat(kLn2High) + (f - (s * (f - z * p) - k * splat(kLn2Low)));
}

// The two below are for weighing hypotheses, where ten digits are more than enough, in bits in place of nats.

// 2^x for |x| <= 1000 to 3e-10: the polynomial interpolates (2^r - 1 - r ln 2) / r^2 at six Chebyshev nodes of |r| <= 1/2.
RPSD_ALWAYS_INLINE Real power_of_two(const Real& x) noexcept {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1, kRound = 0x1.8p52;
  constexpr double kC[6] = {0x1.ebfbe00e63baep-3,  0x1.c6b08d77217ecp-5,  0x1.3b2a53045179ap-7,
                            0x1.5d87c0e6921b1p-10, 0x1.4413896e1ad27p-13, 0x1.008a1fbaf9058p-16};
  const Real shifted = x + splat(kRound), r = x - (shifted - splat(kRound)), r2 = r * r;
  const Real p01 = splat(kC[0]) + splat(kC[1]) * r, p23 = splat(kC[2]) + splat(kC[3]) * r;
  const Real p = p01 + r2 * (p23 + r2 * (splat(kC[4]) + splat(kC[5]) * r));
  const Real power = splat(1) + (r * splat(kLn2) + r2 * p);
  return real_of(bits_of(power) + (bits_of(shifted) << kMantissaBits));
}

// log2 v for v > 0 normal, to 2e-11 of itself: with m = v / 2^k in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1) it is
// k + s P(s^2), and P interpolates at four Chebyshev nodes of s^2 beside its exact constant 2 / ln 2.
RPSD_ALWAYS_INLINE Real binary_logarithm(const Real& v) noexcept {
  constexpr uint64_t kRootOfHalf = 0x3FE6A09E667F3BCDull, kTwo52Bits = 0x4330000000000000ull;
  constexpr double kC[5] = {0x1.71547652b82fep+1, 0x1.ec709db5b9a5bp-1, 0x1.2777000a29e69p-1, 0x1.a5c972b72cd09p-2,
                            0x1.58aa645416868p-2};
  const Bits shifted = bits_of(v) + (kOneBits - kRootOfHalf);
  const Real k = real_of((shifted >> kMantissaBits) | kTwo52Bits) - splat(kTwo52 + kExponentBias);
  const Real m = real_of((shifted & kMantissaMask) + kRootOfHalf);
  const Real s = (m - splat(1)) / (m + splat(1)), z = s * s;
  const Real p12 = splat(kC[1]) + splat(kC[2]) * z, p34 = splat(kC[3]) + splat(kC[4]) * z;
  return k + s * (splat(kC[0]) + z * (p12 + (z * z) * p34));
}

// An element-wise function of whole vectors on x[0..n), the last of them filled up with ones; out may be x.
template <class Function>
inline void map(const double* x, size_t n, double* out, Function function) noexcept {
  size_t i = 0;
  for (; i + kRealLanes <= n; i += kRealLanes) store(out + i, function(load(x + i)));
  if (i == n) return;
  double rest[kRealLanes];
  for (size_t k = 0; k < kRealLanes; ++k) rest[k] = i + k < n ? x[i + k] : 1;
  store(rest, function(load(rest)));
  for (size_t k = 0; i + k < n; ++k) out[i + k] = rest[k];
}

void exponentials(const double* x, size_t n, double* out) noexcept {
  map(x, n, out, [](const Real& v) { return exponential(v); });
}

void logarithms(const double* x, size_t n, double* out) noexcept {
  map(x, n, out, [](const Real& v) { return logarithm(v); });
}

}  // namespace
