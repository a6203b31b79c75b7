// SPDX-License-Identifier: MIT
// The bank: Kalman filters of the local level model that differ in the ratio of step to noise variance. The scale is
// concentrated out of each one's likelihood, so that running sums give the exact posterior of the ratio: no window is
// kept and nothing is refitted.
#pragma once

namespace {

using rpsd::kernels::CausalState;
using rpsd::kernels::kFilters;

// Noise to step standard deviations 0.05, 0.0675 .. 50, as ratios of step to noise variance.
struct RatioGrid {
  double ratio[kFilters];
  constexpr RatioGrid() : ratio() {
    double noise = 0.05;
    for (size_t i = 0; i < kFilters; ++i, noise *= 1.35) ratio[i] = 1 / (noise * noise);
  }
};
constexpr RatioGrid kGrid;

constexpr double kJumpSize = 200;        // variance of a jump, in those of a step
constexpr double kRecentDecay = 1 - 1.0 / 32;
constexpr double kLeastSquares = 0x1p-120;  // of the first move's: keeps variances within the range of numbers
constexpr double kLn2 = 0x1.62e42fefa39efp-1, kInverseLn2 = 0x1.71547652b82fep+0;

inline double first(const Real& v) noexcept {
  double lanes[kRealLanes];
  store(lanes, v);
  return lanes[0];
}
inline double exponential_of(double x) noexcept { return first(exponential(splat(x))); }
inline double logarithm_of(double v) noexcept { return first(logarithm(splat(v))); }
inline double clip(double v, double least, double most) noexcept { return v > most ? most : (v > least ? v : least); }

inline Samples logarithm(const Samples& v) noexcept {
  return each(v, [](const Real& a) { return logarithm(a); });
}
inline Samples exponential(const Samples& v) noexcept {
  return each(v, [](const Real& a) { return exponential(a); });
}

// A sum over the filters: term(i) is that of the eight from i on.
template <class Term>
inline double over_filters(Term term) noexcept {
  static_assert(kFilters == 3 * kBundle, "three bundles");
  return fold(term(size_t{0}) + term(kBundle) + term(2 * kBundle));
}

inline double mean_of_filters(const CausalState& s, const double* weight) noexcept {
  return over_filters([&](size_t i) { return Samples(weight + i) * Samples(s.mean + i); });
}

inline double variance_of_filters(const CausalState& s, const double* weight, const double* scale) noexcept {
  return over_filters([&](size_t i) { return Samples(weight + i) * Samples(scale + i) * Samples(s.variance + i); });
}

// How the level before follows a revision of the one now.
inline double regression_of_filters(const CausalState& s) noexcept {
  return over_filters([&](size_t i) {
    const Samples variance(s.variance + i);
    return Samples(s.weight + i) * variance / (variance + Samples(kGrid.ratio + i));
  });
}

inline void miss_filters(CausalState& s) noexcept {
  for (size_t i = 0; i < kFilters; i += kBundle) (Samples(s.variance + i) + Samples(kGrid.ratio + i)).to(s.variance + i);
}

// One sample, which is a jump with probability `jump`: then it says nothing of the variances.
template <bool kJump>
inline void advance_filters(CausalState& s, double value, double jump, double volatility) noexcept {
  const Samples one(1.0), share(1 - jump), x(value), moving(volatility);
  RPSD_UNROLL
  for (size_t i = 0; i < kFilters; i += kBundle) {
    const Samples ratio(kGrid.ratio + i), mean(s.mean + i), e = x - mean;
    const Samples before = Samples(s.variance + i) + ratio * moving, f = before + one, inverse = one / f;
    const Samples gain = before * inverse;
    (Samples(s.block_squares + i) + share * (e * e * inverse)).to(s.block_squares + i);
    if (kJump) {
      (Samples(s.block_exponent + i) + share * logarithm(f) * Samples(kInverseLn2)).to(s.block_exponent + i);
      const Samples likely(jump), leap = before + Samples(kJumpSize) * ratio, leap_gain = leap / (leap + one);
      const Samples mixed = share * gain + likely * leap_gain, apart = leap_gain - gain;
      const Samples scale = larger(Samples(s.scale + i), Samples(kLeastSquares));
      const Samples most = Samples(kJumpSize) * ratio + Samples(10.0) * f;
      (mixed + likely * share * apart * apart * smaller(e * e / scale, most)).to(s.variance + i);
      (mean + mixed * e).to(s.mean + i);
    } else {
      Product<kBundle / kRealLanes> product = {Samples(s.block_mantissa + i), Samples(s.block_exponent + i)};
      product.times(f);
      product.mantissas.to(s.block_mantissa + i);
      product.exponents.to(s.block_exponent + i);
      gain.to(s.variance + i);
      (mean + gain * e).to(s.mean + i);
    }
  }
  s.block_counted += 1 - jump;
  s.block_decay *= kRecentDecay;
}

// Adds the samples since the last time to the sums.
inline void close_block(CausalState& s) noexcept {
  const Samples decay(s.block_decay);
  for (size_t i = 0; i < kFilters; i += kBundle) {
    const Samples squares(s.block_squares + i);
    const Samples logs = logarithm(Samples(s.block_mantissa + i)) + Samples(s.block_exponent + i) * Samples(kLn2);
    (Samples(s.squares + i) + squares).to(s.squares + i);
    (Samples(s.logs + i) + logs).to(s.logs + i);
    (decay * Samples(s.recent_squares + i) + squares).to(s.recent_squares + i);
    (decay * Samples(s.recent_logs + i) + logs).to(s.recent_logs + i);
    Samples(0.0).to(s.block_squares + i);
    Samples(1.0).to(s.block_mantissa + i);
    Samples(0.0).to(s.block_exponent + i);
  }
  s.counted += s.block_counted;
  s.recent_counted = s.block_decay * s.recent_counted + s.block_counted;
  s.block_counted = 0;
  s.block_decay = 1;
}

// Posterior probabilities from the concentrated likelihoods n^(-n/2) exp(-logs / 2), n = squares / counted.
inline void weigh_filters(const double* squares, const double* logs, double counted, double* scale, double* weight) noexcept {
  const Samples n(counted), half(-0.5);
  Samples best(-1e300);
  for (size_t i = 0; i < kFilters; i += kBundle) {
    const Samples variance = (Samples(squares + i) + Samples(kLeastSquares)) / n;
    const Samples likelihood = half * (Samples(logs + i) + n * logarithm(variance));
    variance.to(scale + i);
    likelihood.to(weight + i);
    best = larger(best, likelihood);
  }
  double lanes[kBundle], top = -1e300;
  best.to(lanes);
  for (const double v : lanes) top = v > top ? v : top;
  for (size_t i = 0; i < kFilters; i += kBundle) exponential(Samples(weight + i) - Samples(top)).to(weight + i);
  const Samples norm(1 / over_filters([&](size_t i) { return Samples(weight + i); }));
  for (size_t i = 0; i < kFilters; i += kBundle) (Samples(weight + i) * norm).to(weight + i);
}

inline void weigh_all(CausalState& s) noexcept {
  weigh_filters(s.squares, s.logs, s.counted, s.scale, s.weight);
  s.noise_variance = over_filters([&](size_t i) { return Samples(s.weight + i) * Samples(s.scale + i); });
  s.step_variance =
      over_filters([&](size_t i) { return Samples(s.weight + i) * Samples(s.scale + i) * Samples(kGrid.ratio + i); });
}

// dB that a filter of the past gains at best: the steady-state Kalman gain.
inline double causal_gain_db(double noise_variance, double step_variance) noexcept {
  constexpr double kDecibels = 4.342944819032518;  // 10 / ln 10
  if (!(step_variance > 0)) return 0;
  return kDecibels * logarithm_of((1 + sqrt(1 + 4 * noise_variance / step_variance)) / 2);
}

}  // namespace
