// SPDX-License-Identifier: MIT
// The components of the four chains' mixtures, and what one sample says of each. Here for one series: a component is a row
// of two lanes, one for each kind of chain.
#pragma once

namespace {

using rpsd::kernels::CausalSettings;
using rpsd::kernels::kRows;
using rpsd::kernels::kVolatilities;

constexpr size_t kBundleRows = kBundle / kKinds;                  // four
constexpr size_t kMovingBundles = kRows / kBundleRows;            // two, and one for constant volatility
constexpr size_t kBundles = kMovingBundles + 1;
constexpr size_t kMiddle = kVolatilities / 2;
constexpr double kVolatilityStep = 2.4;  // of the variance
constexpr double kDrift = 0.0073, kReturn = 0.003;  // of the volatility in a step: to each neighbour, and to one
constexpr double kJumpRate = 0.003, kJumpRateSamples = 300;  // before any is seen
constexpr double kBadJumpRate = 0.0005, kNoisyRate = 0.02, kNoisy = 8, kBadRate = 0.003, kBad = 300;
constexpr double kMovingOdds = 0.049787068367863944, kLeastOdds = 9.3576229688401746e-14;  // e^-3, e^-30 of the prior

// Values of the rows. Step variance: `fixed` + `moving` times the mean volatility; prior probability: `rate` + `learned`
// times the rate of jumps + `steady` times what both leave, or in the rows of volatilities its probability times that.
struct ChainTables {
  static constexpr size_t kLanes = kBundles * kBundle;
  double fixed[kLanes], moving[kLanes], noise[kLanes], rate[kLanes], learned[kLanes], steady[kLanes];
  double stay[kRows * kKinds], drift[kRows * kKinds], returns[kRows * kKinds];
  double left[kBundle], learns[kBundle], widest_noise[kBundle];

  constexpr ChainTables()
      : fixed(), moving(), noise(), rate(), learned(), steady(), stay(), drift(), returns(), left(), learns(),
        widest_noise() {
    double volatility = 1;
    for (size_t j = 0; j < kMiddle; ++j) volatility /= kVolatilityStep;
    for (size_t kind = 0; kind < kKinds; ++kind) {
      double variance = volatility;
      for (size_t j = 0; j < kVolatilities; ++j, variance *= kVolatilityStep) {
        const size_t i = j * kKinds + kind;
        fixed[i] = j == kMiddle ? 1 : variance;
        noise[i] = 1;
        drift[i] = kDrift;
        stay[i] = 1 - (j == 0 || j + 1 == kVolatilities ? 1 : 2) * kDrift;
        returns[i] = j == kMiddle ? kReturn : 0;
      }
      const size_t constant = kRows * kKinds + kind;
      fixed[constant] = noise[constant] = steady[constant] = 1;
      set_rare(kVolatilities * kKinds + kind, kind == 1);
      set_rare(constant + kKinds, kind == 1);
      for (size_t i = kind; i < kBundle; i += kKinds) {
        left[i] = kind == 1 ? 1 - kBadJumpRate - kNoisyRate - kBadRate : 1;
        learns[i] = kind == 1 ? 0 : 1;
        widest_noise[i] = kind == 1 ? kBad : 1;
      }
    }
  }

 private:
  constexpr void set_rare(size_t jump, bool bad) {
    const size_t noisy = jump + kKinds, worst = noisy + kKinds;
    moving[jump] = kJumpSize;
    moving[noisy] = moving[worst] = noise[jump] = 1;
    noise[noisy] = kNoisy;
    noise[worst] = kBad;
    learned[jump] = bad ? 0 : 1;
    rate[jump] = bad ? kBadJumpRate : 0;
    rate[noisy] = bad ? kNoisyRate : 0;
    rate[worst] = bad ? kBadRate : 0;
  }
};
constexpr ChainTables kTables;

using Quad = Layout<double>::Quad;

// A value for each kind, in every row.
inline Samples kinds_of(const double* values) noexcept {
  Real part;
#if defined(__GNUC__)
  for (size_t k = 0; k < kRealLanes; ++k) part[k] = values[k % kKinds];
#else
  double lanes[kRealLanes];
  for (size_t k = 0; k < kRealLanes; ++k) lanes[k] = values[k % kKinds];
  part = load(lanes);
#endif
  Samples samples;
  for (Real& p : samples.part) p = part;
  return samples;
}

// Sums over the four rows of each: rows 0 and 2, rows 1 and 3, then both.
inline Quad sum_rows(const Samples& constant, const Samples& moving) noexcept {
#if defined(RPSD_SHUFFLE) && RPSD_VEC_BYTES == 64
  const Real u = constant.part[0], v = moving.part[0];
  const Real sum = __builtin_shufflevector(u, v, 0, 1, 2, 3, 8, 9, 10, 11) + __builtin_shufflevector(u, v, 4, 5, 6, 7, 12, 13, 14, 15);
  Quad quad;
  quad.part[0] = __builtin_shufflevector(sum, sum, 0, 1, 4, 5, 0, 1, 4, 5) + __builtin_shufflevector(sum, sum, 2, 3, 6, 7, 2, 3, 6, 7);
  return quad;
#elif defined(RPSD_SHUFFLE) && RPSD_VEC_BYTES == 32
  const Real u = constant.part[0] + constant.part[1], v = moving.part[0] + moving.part[1];
  Quad quad;
  quad.part[0] = __builtin_shufflevector(u, v, 0, 1, 4, 5) + __builtin_shufflevector(u, v, 2, 3, 6, 7);
  return quad;
#else
  double rows[2 * kBundle], sums[kChains];
  constant.to(rows);
  moving.to(rows + kBundle);
  for (size_t c = 0; c < kChains; ++c) {
    const double* const r = rows + c / kKinds * kBundle + c % kKinds;
    sums[c] = (r[0] + r[2 * kKinds]) + (r[kKinds] + r[3 * kKinds]);
  }
  return Layout<double>::chains(sums);
#endif
}

// Where the volatilities are expected at the next sample. No row lies beyond the ends, so that what leaves stays.
inline void predict_volatility(const CausalState& s, double* predicted) noexcept {
  constexpr size_t kRowParts = kRows * kKinds / kRealLanes;
  Real rows[kRowParts + 2];
  rows[0] = rows[kRowParts + 1] = splat(0);
  RPSD_UNROLL
  for (size_t k = 0; k < kRowParts; ++k)
    rows[k + 1] = load(s.volatility + k * kRealLanes) * splat(1 - kReturn) + load(kTables.returns + k * kRealLanes);
  RPSD_UNROLL
  for (size_t k = 0; k < kRowParts; ++k) {
    const Real neighbours = rows_before<double>(rows[k], rows[k + 1]) + rows_after<double>(rows[k + 1], rows[k + 2]);
    store(predicted + k * kRealLanes,
          load(kTables.stay + k * kRealLanes) * rows[k + 1] + load(kTables.drift + k * kRealLanes) * neighbours);
  }
}

// Sums over a chain's components of likelihoods and of their products with gain, gain^2, gain times noise variance,
// precision and precision times gain; over volatilities alone of likelihoods and of products with volatility.
template <class T>
struct ChainSums {
  T likelihood, gain, gain_square, noise, precision, precision_gain, volatilities, volatility;
};

template <class V>
struct ChainStep {
  // Innovations, and precisions in whose units likelihoods are taken.
  typename Layout<V>::Quad e, widest;
  ChainSums<typename Layout<V>::Quad> sums;
  V jump;  // probability, of the chain of constant volatility
};

template <class V>
inline V rate_of_jumps(const CausalStateOf<V>& s) noexcept {
  return (kJumpRate * kJumpRateSamples + s.jumps) / (kJumpRateSamples + s.counted + s.block_counted);
}

// What the rows of one half of the chains share.
struct RowContext {
  Samples variance, q_now, half_bits, widest;
};

template <bool kLag, class T>
inline void add_rows(ChainSums<T>& sums, const T& share, const T& gain, const T& noise, const T& precision) noexcept {
  const T part = share * gain;
  sums.likelihood = sums.likelihood + share;
  sums.gain = sums.gain + part;
  sums.gain_square = sums.gain_square + part * gain;
  sums.noise = sums.noise + part * noise;
  if (kLag) {
    const T sharp = share * precision;
    sums.precision = sums.precision + sharp;
    sums.precision_gain = sums.precision_gain + sharp * gain;
  }
}

// Likelihoods of all components; s.volatility takes those of the volatilities. kLag: also what only the lag needs.
template <bool kLag>
inline ChainStep<double> weigh_components(CausalState& s, double value) noexcept {
  const Samples zero(0.0), one(1.0), q(s.step_variance), r(s.noise_variance);
  const Samples jump_rate(rate_of_jumps(s));
  const Samples left = Samples(kTables.left) - Samples(kTables.learns) * jump_rate;
  RowContext halves[2];
  RPSD_UNROLL
  for (size_t h = 0; h < 2; ++h) {
    RowContext& half = halves[h];
    const Samples e = Samples(value) - kinds_of(s.level + h * kKinds);
    half.variance = kinds_of(s.level_variance + h * kKinds);
    half.q_now = q * kinds_of(s.mean_volatility + h * kKinds);
    half.half_bits = Samples(kHalfBit) * e * e;
    const Samples outside = larger(Samples(kJumpSize) * half.q_now + r, half.q_now + Samples(kTables.widest_noise) * r);
    half.widest = one / (half.variance + outside);
  }
  double predicted[kRows * kKinds];
  predict_volatility(s, predicted);
  Samples gain[kBundles], precision[kBundles], likelihood[kBundles];
  RPSD_UNROLL
  for (size_t b = 0; b < kBundles; ++b) {
    const size_t i = b * kBundle;
    const RowContext& half = halves[b < kMovingBundles ? 1 : 0];
    const Samples before = half.variance + (q * Samples(kTables.fixed + i) + half.q_now * Samples(kTables.moving + i));
    precision[b] = one / (before + r * Samples(kTables.noise + i));
    const Samples bits = larger(half.half_bits * (half.widest - precision[b]), Samples(kLeastPower));
    likelihood[b] = square_root(precision[b]) * power_of_two(smaller(bits, zero));  // 1: of rows that a kind does not have
    gain[b] = before * precision[b];
  }
  ChainSums<Samples> moving = {zero, zero, zero, zero, zero, zero, zero, zero}, constant = moving;
  RPSD_UNROLL
  for (size_t b = 0; b < kMovingBundles; ++b) {
    const size_t i = b * kBundle;
    const Samples prior(predicted + i), posterior = prior * likelihood[b];
    const Samples rate = Samples(kTables.rate + i) + Samples(kTables.learned + i) * jump_rate;
    add_rows<kLag>(moving, left * posterior + rate * likelihood[b], gain[b], r * Samples(kTables.noise + i), precision[b]);
    posterior.to(s.volatility + i);
    moving.volatilities = moving.volatilities + posterior;
    moving.volatility = moving.volatility + posterior * Samples(kTables.fixed + i);
  }
  constexpr size_t kLast = kMovingBundles, kAt = kLast * kBundle;
  const Samples rate = left * Samples(kTables.steady + kAt) + Samples(kTables.rate + kAt) + Samples(kTables.learned + kAt) * jump_rate;
  const Samples share = rate * likelihood[kLast];
  add_rows<kLag>(constant, share, gain[kLast], r * Samples(kTables.noise + kAt), precision[kLast]);
  constant.volatilities = constant.volatility = Samples(1.0 / kBundleRows);
  ChainStep<double> step;
  step.e = Quad(value) - Layout<double>::chains(s.level);
  step.widest = [&] {
    double lanes[kChains], shares[kBundle];
    for (size_t h = 0; h < 2; ++h) {
      halves[h].widest.to(shares);
      memcpy(lanes + h * kKinds, shares, kKinds * sizeof(double));
    }
    return Layout<double>::chains(lanes);
  }();
  step.sums = {sum_rows(constant.likelihood, moving.likelihood),
               sum_rows(constant.gain, moving.gain),
               sum_rows(constant.gain_square, moving.gain_square),
               sum_rows(constant.noise, moving.noise),
               sum_rows(constant.precision, moving.precision),
               sum_rows(constant.precision_gain, moving.precision_gain),
               sum_rows(constant.volatilities, moving.volatilities),
               sum_rows(constant.volatility, moving.volatility)};
  double shares[kBundle], totals[Quad::kWidth];
  share.to(shares);
  step.sums.likelihood.to(totals);
  step.jump = shares[kKinds] / totals[0];
  return step;
}

inline void scale_volatilities(CausalState& s, const double* scales) noexcept {
  const Samples scale = kinds_of(scales);
  for (size_t i = 0; i < kRows * kKinds; i += kBundle) (Samples(s.volatility + i) * scale).to(s.volatility + i);
}

}  // namespace
