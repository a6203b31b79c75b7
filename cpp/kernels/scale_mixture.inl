// SPDX-License-Identifier: MIT
// Local level problems whose steps and noise are mixtures of Gaussians with variances in powers of four: the filter that
// keeps one Gaussian a step, and the sites of the collapsed expectation maximisation.
//
// A component's likelihood is weight / sqrt(F) exp(-d^2 / 2F), taken in units of exp(-d^2 / 2F) of the widest: no other
// exponent is larger, so that no maximum has to be looked for and no logarithm taken.
#pragma once

namespace {

using rpsd::kernels::MixtureLanes;
using rpsd::kernels::MixtureState;

// In both, all components go through the exponential together: one long chain of operations after the other would leave
// the processor waiting for each.
constexpr size_t kMostPairs = kBundle * kBundle;

// Components' precisions 1/F, and then likelihoods.
template <size_t N, size_t kMost>
struct Components {
  Bundle<N> precision[kMost], likelihood[kMost];

  // F and half the squared innovation. Exponents below -650 count as that: e^-650 times any weight that matters is
  // negligible, and is no denormal number, which would be slow.
  inline void set(size_t i, const Bundle<N>& f, const Bundle<N>& half_square, const Bundle<N>& widest) noexcept {
    precision[i] = Bundle<N>(1.0) / f;
    likelihood[i] = larger(Bundle<N>(-650.0), half_square * (widest - precision[i]));
  }

  inline void weigh(size_t count) noexcept {
    for (size_t i = 0; i < count; ++i) likelihood[i] = square_root(precision[i]) * exponential_within(likelihood[i]);
  }
};

// The moments of one predicted sample over all pairs of scales (Ackerson & Fu 1970).
template <size_t N>
struct Mixed {
  Bundle<N> likelihood, gain, gain_square, noise;
};

struct MixtureSweep {
  template <size_t N>
  static inline Mixed<N> mix(const MixtureLanes& lanes, const Bundle<N>& variance, const Bundle<N>& q, const Bundle<N>& r,
                             const Bundle<N>& half_square, const Bundle<N>& widest) noexcept {
    const Bundle<N> zero(0.0);
    Components<N, kMostPairs> pairs;
    for (size_t k = 0, i = 0; k < lanes.steps; ++k) {
      const Bundle<N> before = variance + q * Bundle<N>(lanes.step_scale[k]);
      for (size_t l = 0; l < lanes.noises; ++l, ++i)
        pairs.set(i, before + r * Bundle<N>(lanes.noise_scale[l]), half_square, widest);
    }
    const size_t count = lanes.steps * lanes.noises;
    // Scales wider than a lane's own widest have no weight there, but would leave the range.
    for (size_t i = 0; i < count; ++i) pairs.likelihood[i] = smaller(zero, pairs.likelihood[i]);
    pairs.weigh(count);
    Mixed<N> mixed = {zero, zero, zero, zero};
    for (size_t k = 0, i = 0; k < lanes.steps; ++k) {
      const Bundle<N> before = variance + q * Bundle<N>(lanes.step_scale[k]);
      for (size_t l = 0; l < lanes.noises; ++l, ++i) {
        const Bundle<N> weight = Bundle<N>(lanes.step_weight[k]) * Bundle<N>(lanes.noise_weight[l]);
        const Bundle<N> share = weight * pairs.likelihood[i], gain = before * pairs.precision[i], part = share * gain;
        mixed.likelihood = mixed.likelihood + share;
        mixed.gain = mixed.gain + part;
        mixed.gain_square = mixed.gain_square + part * gain;
        mixed.noise = mixed.noise + part * (r * Bundle<N>(lanes.noise_scale[l]));
      }
    }
    return mixed;
  }

  template <size_t N>
  static inline void run(const MixtureLanes& lanes, size_t begin, size_t end, MixtureState& state) noexcept {
    constexpr size_t W = Bundle<N>::kWidth;
    LevelBlock<N> block;
    const Bundle<N> zero(0.0), one(1.0), half(0.5);
    const Bundle<N> largest_step(lanes.largest_step), largest_noise(lanes.largest_noise), mean_step(lanes.mean_step);
    Bundle<N> mean(state.mean), variance(state.variance), squares = zero;
    Product<N> likelihoods = {one, zero};
    if (begin > 0) {
      squares = Bundle<N>(state.squares);
      likelihoods = {Bundle<N>(state.mantissa), Bundle<N>(state.exponent)};
    }
    for (size_t t = begin; t < end; t += kLaneBlock) {
      const size_t length = end - t < kLaneBlock ? end - t : kLaneBlock;
      block.read(lanes.level, t, length);
      if (t == 0)
        for (size_t k = 0; k < W; ++k) block.q[k] = 0;
      for (size_t i = 0; i < length; ++i) {
        const Bundle<N> y(block.y + i * W), seen(block.seen + i * W), q(block.q + i * W), r(block.r + i * W);
        const Bundle<N> e = y - mean, half_square = half * e * e;
        const Bundle<N> widest = one / ((variance + q * largest_step) + r * largest_noise);
        const Mixed<N> mixed = mix(lanes, variance, q, r, half_square, widest);
        const Bundle<N> scale = one / mixed.likelihood, gain = mixed.gain * scale;
        const Bundle<N> spread = larger(mixed.gain_square * scale - gain * gain, zero);
        likelihoods.times(select_positive(seen, mixed.likelihood, one));
        squares = squares + seen * half_square * widest;
        mean = mean + seen * gain * e;
        variance = select_positive(seen, mixed.noise * scale + spread * (e * e), variance + mean_step * q);
      }
    }
    mean.to(state.mean);
    variance.to(state.variance);
    squares.to(state.squares);
    likelihoods.mantissas.to(state.mantissa);
    likelihoods.exponents.to(state.exponent);
  }
};

void level_mixture(const MixtureLanes& lanes, size_t begin, size_t end, MixtureState& state) noexcept {
  with_lanes<MixtureSweep>(lanes.level.count, lanes, begin, end, state);
}

// Eight samples of one series.
using Samples = Bundle<kBundle / kRealLanes>;

// What the mixture says of a variable with variances base 4^k, k < K, and weights, where all else says N(d, V):
// narrow = E[V / F], wide = E[base 4^k / F] and square = E[(its square) / 4^k], with F = V + base 4^k;
// doubt = d^2 var(V / F): what not knowing the scale adds to the variance.
template <size_t K>
struct Tilted {
  Samples responsibility[K], narrow, wide, square, doubt;

  Tilted(const Samples& v, const Samples& d, const Samples& base, const double* weights) noexcept
      : narrow(0.0), wide(0.0), square(0.0), doubt(0.0) {
    const Samples one(1.0), half_square = Samples(0.5) * d * d;
    const Samples widest = one / (v + base * Samples(scale(K - 1)));
    Components<kBundle / kRealLanes, K> scales;
    for (size_t k = 0; k < K; ++k) scales.set(k, v + base * Samples(scale(k)), half_square, widest);
    scales.weigh(K);
    Samples total(0.0), both(0.0), squares(0.0);
    for (size_t k = 0; k < K; ++k) {
      responsibility[k] = Samples(weights[k]) * scales.likelihood[k];
      const Samples share = responsibility[k] * scales.precision[k], scaled = share * (base * Samples(scale(k)));
      total = total + responsibility[k];
      narrow = narrow + share;
      wide = wide + scaled;
      both = both + scaled * scales.precision[k];
      squares = squares + share * scales.precision[k];
    }
    const Samples norm = one / total;
    for (size_t k = 0; k < K; ++k) responsibility[k] = responsibility[k] * norm;
    square = base * norm * (d * d * both + v * narrow);
    narrow = v * narrow * norm;
    doubt = d * d * larger(v * v * squares * norm - narrow * narrow, Samples(0.0));
    wide = wide * norm;
  }

  static constexpr double scale(size_t k) noexcept { return static_cast<double>(size_t{1} << (2 * k)); }
};

// Reads count <= 8 samples, and `otherwise` for the rest.
inline Samples read_samples(const double* x, size_t count, double otherwise) noexcept {
  if (count == kBundle) return Samples(x);
  double lanes[kBundle];
  for (size_t k = 0; k < kBundle; ++k) lanes[k] = k < count ? x[k] : otherwise;
  return Samples(lanes);
}
inline void write_samples(const Samples& samples, double* x, size_t count) noexcept {
  if (count == kBundle) return samples.to(x);
  double lanes[kBundle];
  samples.to(lanes);
  for (size_t k = 0; k < count; ++k) x[k] = lanes[k];
}

// One for the first `count` samples, zero for the rest.
inline Samples first_samples(size_t count) noexcept {
  constexpr double kSteps[2 * kBundle] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  return Samples(kSteps + (kBundle - count));
}

inline double fold(const Samples& samples) noexcept {
  double lanes[kBundle];
  samples.to(lanes);
  return fold(lanes);
}

constexpr size_t kNoiseScales = 8, kStepScales = 6;
// The least share of precision that the other samples are taken to add to the site's own.
constexpr double kLeastShare = 1e-9, kLeastGain = 1e-12;

void noise_sites(const double* y, const double* seen, const double* mean, const double* variance, size_t n,
                 double least_variance, double noise_variance, const double* weights, double* r, double* sums) noexcept {
  const Samples one(1.0), base(noise_variance), least(least_variance);
  Samples count(sums), square(sums + kBundle), doubt(sums + 2 * kBundle), responsibility[kNoiseScales];
  for (size_t k = 0; k < kNoiseScales; ++k) responsibility[k] = Samples(sums + (3 + k) * kBundle);
  for (size_t t = 0; t < n; t += kBundle) {
    const size_t m = n - t < kBundle ? n - t : kBundle;
    const Samples here = read_samples(seen + t, m, 0), e = read_samples(y + t, m, 0) - read_samples(mean + t, m, 0);
    const Samples p = larger(read_samples(variance + t, m, 1), least), inverse = one / read_samples(r + t, m, 2);
    const Samples v = p / larger(one - p * inverse, Samples(kLeastShare));
    const Tilted<kNoiseScales> tilted(v, here * e * (one + v * inverse), base, weights);
    const Samples matched = v * tilted.wide / larger(tilted.narrow, Samples(kLeastGain));
    write_samples(smaller(larger(matched, Samples(0.05) * base), Samples(1e9) * base), r + t, m);
    count = count + here;
    square = square + here * tilted.square;
    doubt = doubt + here * tilted.doubt;
    for (size_t k = 0; k < kNoiseScales; ++k) responsibility[k] = responsibility[k] + here * tilted.responsibility[k];
  }
  count.to(sums);
  square.to(sums + kBundle);
  doubt.to(sums + 2 * kBundle);
  for (size_t k = 0; k < kNoiseScales; ++k) responsibility[k].to(sums + (3 + k) * kBundle);
}

void step_sites(const double* mean, const double* step_square, const double* shape, const double* q, size_t n,
                double least_variance, double step_variance, const double* weights, double* scaled_square, double* ratio,
                double* sums) noexcept {
  const Samples one(1.0), least(least_variance);
  Samples square(sums), doubt(sums + kBundle), responsibility[kStepScales];
  for (size_t k = 0; k < kStepScales; ++k) responsibility[k] = Samples(sums + (2 + k) * kBundle);
  for (size_t t = 1; t < n; t += kBundle) {
    const size_t m = n - t < kBundle ? n - t : kBundle;
    const Samples here = first_samples(m);
    const Samples step = read_samples(mean + t, m, 0) - read_samples(mean + t - 1, m, 0);
    const Samples p = larger(read_samples(step_square + t, m, 1) - step * step, least);
    const Samples form = read_samples(shape + t, m, 1), base = Samples(step_variance) * form;
    const Samples part = one / larger(one - p / read_samples(q + t, m, 2), Samples(kLeastShare)), v = p * part;
    const Tilted<kStepScales> tilted(v, step * part, base, weights);
    const Samples matched = v * tilted.wide / (larger(tilted.narrow, Samples(kLeastGain)) * base);
    write_samples(tilted.square, scaled_square + t, m);
    write_samples(smaller(larger(matched, Samples(0.2)), Samples(1e6)), ratio + t, m);
    square = square + here * (tilted.square / form);
    doubt = doubt + here * tilted.doubt;
    for (size_t k = 0; k < kStepScales; ++k) responsibility[k] = responsibility[k] + here * tilted.responsibility[k];
  }
  square.to(sums);
  doubt.to(sums + kBundle);
  for (size_t k = 0; k < kStepScales; ++k) responsibility[k].to(sums + (2 + k) * kBundle);
}

}  // namespace
