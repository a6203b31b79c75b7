// SPDX-License-Identifier: MIT
// Four chains: models of jumps, bad samples and moving volatility, with the variances that the bank finds. Each keeps one
// Gaussian, matched to the first two moments of its mixture (Ackerson & Fu 1970): an ambiguous jump widens it, so that
// the next sample tells. They run in the lanes, one component of the mixture a row; two rows fill a bundle.
#pragma once

namespace {

using rpsd::kernels::CausalSettings;
using rpsd::kernels::kChains;
using rpsd::kernels::kVolatilities;
using rpsd::kernels::kVolatilityRows;

// Rows: nine volatilities, a jump, noise of eight times the variance, and of three hundred times.
constexpr size_t kRows = kVolatilities + 3;
constexpr double kVolatilityStep = 1.7, kLogVolatilityStep = 0.5306282510621704;  // of the variance
constexpr double kDrift = 0.02, kReturn = 0.003;  // of the volatility in a step: to each neighbour, and to one
constexpr double kJumpRate = 0.003, kJumpRateSamples = 300;  // before any is seen
constexpr double kBadJumpRate = 0.0005, kNoisyRate = 0.02, kNoisy = 8, kBadRate = 0.003, kBad = 300;
constexpr double kMovingEvidence = -3, kEvidenceRange = 30;

struct ChainTables {
  // Step variance: fixed + moving times the mean volatility; noise variance; prior probability: `rate`, `learned` times
  // the rate of jumps, and that of the volatility times what these leave.
  double fixed[kRows * kChains], moving[kRows * kChains], noise[kRows * kChains];
  double rate[kRows * kChains], learned[kRows * kChains];
  double returns[kVolatilityRows * kChains], is_volatility[kVolatilityRows * kChains];
  double left[2 * kChains], learns[2 * kChains], widest_noise[2 * kChains], drift[2 * kChains];

  constexpr ChainTables()
      : fixed(), moving(), noise(), rate(), learned(), returns(), is_volatility(), left(), learns(), widest_noise(), drift() {
    double volatility = 1;
    for (size_t j = 0; j < kVolatilities / 2; ++j) volatility /= kVolatilityStep;
    for (size_t j = 0; j < kVolatilities; ++j, volatility *= kVolatilityStep)
      for (size_t c = 0; c < kChains; ++c) {
        fixed[j * kChains + c] = j == kVolatilities / 2 ? 1 : volatility;
        noise[j * kChains + c] = is_volatility[j * kChains + c] = 1;
        returns[j * kChains + c] = j == kVolatilities / 2 ? kReturn : 0;
      }
    for (size_t c = 0; c < kChains; ++c) {
      const bool bad = c >= 2;
      const size_t jump = kVolatilities * kChains + c, noisy = jump + kChains, worst = noisy + kChains;
      moving[jump] = kJumpSize;
      moving[noisy] = moving[worst] = 1;
      noise[jump] = 1;
      noise[noisy] = kNoisy;
      noise[worst] = kBad;
      rate[jump] = bad ? kBadJumpRate : 0;
      learned[jump] = bad ? 0 : 1;
      rate[noisy] = bad ? kNoisyRate : 0;
      rate[worst] = bad ? kBadRate : 0;
      for (size_t k = c; k < 2 * kChains; k += kChains) {
        left[k] = 1 - rate[jump] - rate[noisy] - rate[worst];
        learns[k] = learned[jump];
        widest_noise[k] = bad ? kBad : 1;
        drift[k] = c % 2 == 1 ? kDrift : 0;
      }
    }
  }
};
constexpr ChainTables kTables;

// The chains' values in both halves of a bundle, and back.
inline Samples both_halves(const double* chains) noexcept {
  double lanes[kBundle];
  memcpy(lanes, chains, kChains * sizeof(double));
  memcpy(lanes + kChains, chains, kChains * sizeof(double));
  return Samples(lanes);
}
inline void to_chains(const Samples& samples, double* chains) noexcept {
  double lanes[kBundle];
  samples.to(lanes);
  memcpy(chains, lanes, kChains * sizeof(double));
}

// The sum of a bundle's two rows, in both halves.
inline Samples rows_added(const Samples& v) noexcept {
  double lanes[3 * kChains];
  v.to(lanes);
  memcpy(lanes + 2 * kChains, lanes, kChains * sizeof(double));
  return v + Samples(lanes + kChains);
}

inline double prior_evidence(const CausalSettings& settings, size_t chain) noexcept {
  return (chain >= 2 ? settings.bad_sample_evidence : 0) + (chain % 2 == 1 ? kMovingEvidence : 0);
}

inline void restart_chains(const CausalSettings& settings, CausalState& s, double level, double variance) noexcept {
  double total = 0;
  for (size_t c = 0; c < kChains; ++c) {
    s.level[c] = level;
    s.level_variance[c] = variance;
    s.evidence[c] = prior_evidence(settings, c);
    s.mean_volatility[c] = 1;
    total += s.chain_weight[c] = exponential_of(s.evidence[c]);
    for (size_t j = 0; j < kVolatilityRows; ++j) s.volatility[j * kChains + c] = j == kVolatilities / 2 ? 1 : 0;
  }
  for (double& weight : s.chain_weight) weight /= total;
  s.log_evidence = logarithm_of(total);
  s.feedback = 1;
}

// Where the volatilities are expected at the next sample, zero in the row that fills up.
inline void predict_volatility(const CausalState& s, double* predicted) noexcept {
  constexpr size_t kWidth = kBundle, kEnd = kVolatilityRows * kChains;
  double moved[kEnd + 2 * kChains];  // and a row beyond each end
  for (size_t i = 0; i < kEnd; i += kWidth)
    (Samples(s.volatility + i) * Samples(1 - kReturn) + Samples(kTables.returns + i)).to(moved + kChains + i);
  memcpy(moved, moved + kChains, kChains * sizeof(double));
  memcpy(moved + kEnd, moved + kEnd - kChains, kChains * sizeof(double));
  memset(moved + kEnd + kChains, 0, kChains * sizeof(double));
  const Samples drift(kTables.drift), stay = Samples(1.0) - Samples(2.0) * drift;
  for (size_t i = 0; i < kEnd; i += kWidth) {
    const Samples neighbours = Samples(moved + i) + Samples(moved + i + 2 * kChains);
    const Samples here = stay * Samples(moved + kChains + i) + drift * neighbours;
    (here * Samples(kTables.is_volatility + i)).to(predicted + i);
  }
}

// Sums over the rows of likelihoods, and of their products with gain, gain^2, gain times noise variance, precision and
// precision times gain; over the volatilities alone of likelihoods, and of products with volatility and its logarithm.
struct ChainSums {
  Samples likelihood, gain, gain_square, noise, precision, precision_gain, volatilities, volatility, log_volatility;
};

struct ChainStep {
  Samples e, widest;  // innovation, and the precision in whose units likelihoods are taken
  ChainSums sums;
  double jump;        // probability, of the chain of jumps alone
};

inline Samples volatility_exponents(size_t row) noexcept {
  double lanes[kBundle];
  for (size_t k = 0; k < kBundle; ++k) lanes[k] = static_cast<double>(row + k / kChains) - static_cast<double>(kVolatilities / 2);
  return Samples(lanes);
}

// Likelihoods of all components; s.volatility takes those of the volatilities.
inline ChainStep weigh_components(CausalState& s, double value) noexcept {
  constexpr size_t kPairs = kRows * kChains / kBundle;
  const Samples zero(0.0), one(1.0), q(s.step_variance), r(s.noise_variance), variance = both_halves(s.level_variance);
  const Samples q_now = q * both_halves(s.mean_volatility), jump_rate((kJumpRate * kJumpRateSamples + s.jumps) / (kJumpRateSamples + s.counted + s.block_counted));
  const Samples left = Samples(kTables.left) - Samples(kTables.learns) * jump_rate;
  const Samples outside = larger(Samples(kJumpSize) * q_now + r, q_now + Samples(kTables.widest_noise) * r);
  ChainStep step;
  step.e = Samples(value) - both_halves(s.level);
  step.widest = one / (variance + outside);
  const Samples half_square = Samples(0.5) * step.e * step.e;
  double predicted[kRows * kChains] = {};
  predict_volatility(s, predicted);
  Components<kBundle / kRealLanes, kPairs> components;
  Samples gain[kPairs];
  RPSD_UNROLL
  for (size_t p = 0; p < kPairs; ++p) {
    const size_t i = p * kBundle;
    const Samples before = variance + (q * Samples(kTables.fixed + i) + q_now * Samples(kTables.moving + i));
    components.set(p, before + r * Samples(kTables.noise + i), half_square, step.widest);
    components.likelihood[p] = smaller(components.likelihood[p], zero);  // of rows that a chain does not have
    gain[p] = before * components.precision[p];
  }
  components.weigh(kPairs);
  ChainSums& sums = step.sums;
  sums = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
  Samples jumps(0.0);
  RPSD_UNROLL
  for (size_t p = 0; p < kPairs; ++p) {
    const size_t i = p * kBundle;
    const Samples prior(predicted + i), precision = components.precision[p];
    const Samples rate = Samples(kTables.rate + i) + Samples(kTables.learned + i) * jump_rate;
    const Samples share = (left * prior + rate) * components.likelihood[p], part = share * gain[p], sharp = share * precision;
    sums.likelihood = sums.likelihood + share;
    sums.gain = sums.gain + part;
    sums.gain_square = sums.gain_square + part * gain[p];
    sums.noise = sums.noise + part * (r * Samples(kTables.noise + i));
    sums.precision = sums.precision + sharp;
    sums.precision_gain = sums.precision_gain + sharp * gain[p];
    if (i < kVolatilityRows * kChains) {
      const Samples posterior = prior * components.likelihood[p];
      posterior.to(s.volatility + i);
      sums.volatilities = sums.volatilities + posterior;
      sums.volatility = sums.volatility + posterior * Samples(kTables.fixed + i);
      sums.log_volatility = sums.log_volatility + posterior * volatility_exponents(2 * p);
    }
    if (i == kVolatilities / 2 * kBundle) jumps = share;
  }
  Samples* const all[] = {&sums.likelihood, &sums.gain, &sums.gain_square, &sums.noise, &sums.precision,
                          &sums.precision_gain, &sums.volatilities, &sums.volatility, &sums.log_volatility};
  for (Samples* const sum : all) *sum = rows_added(*sum);
  double shares[kBundle], totals[kBundle];
  jumps.to(shares);
  sums.likelihood.to(totals);
  step.jump = shares[kVolatilities % 2 * kChains] / totals[0];
  return step;
}

// New weights of the chains; returns the log likelihood of the sample over all chains.
inline double weigh_chains(const CausalSettings& settings, CausalState& s, const ChainStep& step) noexcept {
  const Samples logs = logarithm(step.sums.likelihood) - Samples(0.5) * step.e * step.e * step.widest;
  const Samples log_volatility = Samples(kLogVolatilityStep) * step.sums.log_volatility / step.sums.volatilities;
  double likelihoods[kBundle], exponents[kBundle], best = -1e300;
  logs.to(likelihoods);
  log_volatility.to(exponents);
  for (size_t c = 0; c < kChains; ++c) {
    likelihoods[c] += s.evidence[c];
    best = likelihoods[c] > best ? likelihoods[c] : best;
  }
  for (size_t c = 0; c < kChains; ++c) {
    const double least = prior_evidence(settings, c) - kEvidenceRange;
    s.evidence[c] = exponents[c] = likelihoods[c] - best > least ? likelihoods[c] - best : least;
  }
  exponential(Samples(exponents)).to(exponents);
  double feedback = 0, total = 0;
  for (size_t c = 0; c < kChains; ++c) {
    feedback += s.chain_weight[c] * exponents[kChains + c];
    total += exponents[c];
  }
  for (size_t c = 0; c < kChains; ++c) s.chain_weight[c] = exponents[c] / total;
  s.feedback = feedback;
  const double before = s.log_evidence;
  s.log_evidence = logarithm_of(total);
  return best + s.log_evidence - before;
}

// What the samples in the lag learn: means move with the innovation, covariances follow the mixture's moments.
struct LagUpdate {
  Samples revision, factor;
};

inline LagUpdate advance_chains(CausalState& s, const ChainStep& step) noexcept {
  const ChainSums& sums = step.sums;
  const Samples one(1.0), norm = one / sums.likelihood, square = step.e * step.e;
  const Samples gain = sums.gain * norm, precision = sums.precision * norm;
  const Samples spread = larger(sums.gain_square * norm - gain * gain, Samples(0.0));
  to_chains(both_halves(s.level) + gain * step.e, s.level);
  to_chains(sums.noise * norm + spread * square, s.level_variance);
  const Samples volatilities = one / sums.volatilities;
  to_chains(sums.volatility * volatilities, s.mean_volatility);
  for (size_t i = 0; i < kVolatilityRows * kChains; i += kBundle)
    (Samples(s.volatility + i) * volatilities).to(s.volatility + i);
  return {precision * step.e, (one - gain) + (sums.precision_gain * norm - precision * gain) * square};
}

inline void miss_chains(CausalState& s) noexcept {
  for (double& variance : s.level_variance) variance += s.step_variance;
}

inline double level_of_chains(const CausalState& s, const double* levels) noexcept {
  double level = 0;
  for (size_t c = 0; c < kChains; ++c) level += s.chain_weight[c] * levels[c];
  return level;
}

}  // namespace
