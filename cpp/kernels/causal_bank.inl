// SPDX-License-Identifier: MIT
// The bank: Kalman filters of the local level model that differ in the ratio of step to noise variance. The scale is
// concentrated out of each one's likelihood, so that running sums give the exact posterior of the ratio: no window is
// kept and nothing is refitted.
#pragma once

namespace {

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

template <class V>
inline V mean_of_filters(const CausalStateOf<V>& s, const V* weight) noexcept {
  using L = Layout<V>;
  return L::over_filters([&](size_t i) { return L::get(weight + i) * L::get(s.mean + i); });
}

inline double variance_of_filters(const CausalState& s) noexcept {
  return Layout<double>::over_filters(
      [&](size_t i) { return Samples(s.weight + i) * Samples(s.scale + i) * Samples(s.variance + i); });
}

template <class V>
inline V recent_variance_of_filters(const CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  return L::over_filters([&](size_t i) { return L::get(s.recent_scale + i) * L::get(s.variance + i); });
}

// How the level before follows a revision of the one now.
inline double regression_of_filters(const CausalState& s) noexcept {
  return Layout<double>::over_filters([&](size_t i) {
    const Samples variance(s.variance + i);
    return Samples(s.weight + i) * variance / (variance + Samples(kGrid.ratio + i));
  });
}

inline void miss_filters(CausalState& s) noexcept {
  for (size_t i = 0; i < kFilters; i += kBundle) (Samples(s.variance + i) + Samples(kGrid.ratio + i)).to(s.variance + i);
}

// One sample, which is a jump with probability `jump`: where that is likely, it says nothing of the variances. kJump: it
// may be one.
template <bool kJump, class V>
inline void advance_filters(CausalStateOf<V>& s, const V& value, const V& jump, const V& volatility) noexcept {
  using L = Layout<V>;
  using Part = typename L::Part;
  const Part one(1.0), x = L::all(value), moving = L::all(volatility), likely = L::all(jump);
  const V counted = select_positive(jump - 0.5, L::constant(0), L::constant(1));
  const Part counts = L::all(counted);
  RPSD_UNROLL
  for (size_t i = 0; i < kFilters; i += L::kAtOnce) {
    const Part ratio = L::table(kGrid.ratio + i), mean = L::get(s.mean + i), e = x - mean;
    const Part before = L::get(s.variance + i) + ratio * moving, f = before + one, inverse = one / f;
    const Part gain = before * inverse, squares = e * e * inverse;
    if (kJump) {
      const Part leap = before + Part(kJumpSize) * ratio, leap_gain = leap / (leap + one);
      const Part mixed = (one - likely) * gain + likely * leap_gain, apart = leap_gain - gain;
      const Part scale = larger(L::get(s.scale + i), Part(kLeastSquares));
      const Part most = Part(kJumpSize) * ratio + Part(10.0) * f;
      L::put(mixed + likely * (one - likely) * apart * apart * smaller(e * e / scale, most), s.variance + i);
      L::put(mean + mixed * e, s.mean + i);
      L::put(L::get(s.block_squares + i) + counts * squares, s.block_squares + i);
      L::put(L::get(s.block_product + i) * select_positive(counts, f, one), s.block_product + i);
    } else {
      L::put(gain, s.variance + i);
      L::put(mean + gain * e, s.mean + i);
      L::put(L::get(s.block_squares + i) + squares, s.block_squares + i);
      L::put(L::get(s.block_product + i) * f, s.block_product + i);
    }
  }
  s.block_counted = s.block_counted + counted;
  s.block_decay = s.block_decay * kRecentDecay;
}

// Adds the samples since the last time to the sums.
template <class V>
inline void close_block(CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  using Part = typename L::Part;
  const Part decay = L::all(s.block_decay);
  for (size_t i = 0; i < kFilters; i += L::kAtOnce) {
    const Part squares = L::get(s.block_squares + i);
    const Part logs = binary_logarithm(L::get(s.block_product + i));
    L::put(L::get(s.squares + i) + squares, s.squares + i);
    L::put(L::get(s.logs + i) + logs, s.logs + i);
    L::put(decay * L::get(s.recent_squares + i) + squares, s.recent_squares + i);
    L::put(decay * L::get(s.recent_logs + i) + logs, s.recent_logs + i);
    L::put(Part(0.0), s.block_squares + i);
    L::put(Part(1.0), s.block_product + i);
  }
  s.counted = s.counted + s.block_counted;
  s.recent_counted = s.block_decay * s.recent_counted + s.block_counted;
  s.block_counted = L::constant(0);
  s.block_decay = L::constant(1);
}

// Posterior probabilities from the concentrated likelihoods n^(-n/2) 2^(-logs / 2), n = squares / counted.
template <class V>
inline void weigh_filters(const V* squares, const V* logs, const V& counted, V* scale, V* weight) noexcept {
  using L = Layout<V>;
  using Part = typename L::Part;
  const Part n = L::all(counted), half(-0.5), inverse = Part(1.0) / n, least(kLeastPower);
  Part best(-1e300);
  for (size_t i = 0; i < kFilters; i += L::kAtOnce) {
    const Part variance = (L::get(squares + i) + Part(kLeastSquares)) * inverse;
    const Part likelihood = half * (L::get(logs + i) + n * binary_logarithm(variance));
    L::put(variance, scale + i);
    L::put(likelihood, weight + i);
    best = larger(best, likelihood);
  }
  const Part top = L::all(L::largest(best));
  for (size_t i = 0; i < kFilters; i += L::kAtOnce) {
    const Part bits = L::get(weight + i) - top;
    L::put(select_positive(bits - least, power_of_two(larger(bits, least)), Part(0.0)), weight + i);
  }
  const Part norm = L::all(1.0 / L::over_filters([&](size_t i) { return L::get(weight + i); }));
  for (size_t i = 0; i < kFilters; i += L::kAtOnce) L::put(L::get(weight + i) * norm, weight + i);
}

template <class V>
inline void weigh_all(CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  weigh_filters(s.squares, s.logs, s.counted, s.scale, s.weight);
  s.noise_variance = L::over_filters([&](size_t i) { return L::get(s.weight + i) * L::get(s.scale + i); });
  s.step_variance = L::over_filters(
      [&](size_t i) { return L::get(s.weight + i) * L::get(s.scale + i) * L::table(kGrid.ratio + i); });
}

template <class V>
inline void weigh_recent(CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  using Part = typename L::Part;
  weigh_filters(s.recent_squares, s.recent_logs, s.recent_counted, s.recent_scale, s.recent_weight);
  for (size_t i = 0; i < kFilters; i += L::kAtOnce)
    L::put(L::get(s.recent_weight + i) * L::get(s.recent_scale + i), s.recent_scale + i);
  s.recent_variance =
      L::over_filters([&](size_t i) { return L::get(s.recent_scale + i) * (L::table(kGrid.ratio + i) + Part(1.0)); });
}

// dB that a filter of the past gains at best: the steady-state Kalman gain.
template <class V>
inline V causal_gain_db(const V& noise_variance, const V& step_variance) noexcept {
  using L = Layout<V>;
  constexpr double kDecibels = 3.010299956639812;  // 10 log10 2
  V gain[1] = {(1.0 + square_root(1.0 + 4.0 * noise_variance / step_variance)) * 0.5};
  L::binary_logarithms(gain);
  return select_positive(step_variance, kDecibels * gain[0], L::constant(0));
}

}  // namespace
