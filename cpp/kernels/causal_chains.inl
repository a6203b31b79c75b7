// SPDX-License-Identifier: MIT
// Four chains: models of jumps, bad samples and moving volatility, with the variances that the bank finds. Each keeps one
// Gaussian, matched to the first two moments of its mixture (Ackerson & Fu 1970): an ambiguous jump widens it, so that
// the next sample tells.
#pragma once

namespace {

inline double prior_odds(const CausalSettings& settings, size_t chain) noexcept {
  return (chain % kKinds == 1 ? settings.bad_sample_odds : 1) * (chain >= kKinds ? kMovingOdds : 1);
}

inline void restart_chains(const CausalSettings& settings, CausalState& s, double level, double variance) noexcept {
  s.total_odds = 0;
  for (size_t c = 0; c < kChains; ++c) {
    s.level[c] = level;
    s.level_variance[c] = variance;
    s.odds[c] = prior_odds(settings, c);
    s.mean_volatility[c] = 1;
    s.total_odds += s.odds[c];
  }
  for (size_t c = 0; c < kChains; ++c) s.chain_weight[c] = s.odds[c] / s.total_odds;
  for (size_t i = 0; i < kRows * kKinds; ++i) s.volatility[i] = i / kKinds == kMiddle ? 1 : 0;
  s.feedback = 1;
}

// The mean of the chains' values.
template <class V>
inline V mean_of_chains(const CausalStateOf<V>& s, const V* values) noexcept {
  return (s.chain_weight[0] * values[0] + s.chain_weight[1] * values[1]) +
         (s.chain_weight[2] * values[2] + s.chain_weight[3] * values[3]);
}

// What samples say of the chains together: log2 likelihood = log2(ratio) - misfit.
template <class V>
struct Evidence {
  V misfit, ratio;
};

// New weights of the chains.
template <class V>
inline Evidence<V> weigh_chains(const CausalSettings& settings, CausalStateOf<V>& s, const ChainStep<V>& step) noexcept {
  using L = Layout<V>;
  using Chains = typename L::Quad;
  double floors[kChains];
  for (size_t c = 0; c < kChains; ++c) floors[c] = kLeastOdds * prior_odds(settings, c);
  const Chains misfits = Chains(kHalfBit) * step.e * step.e * step.widest;
  V lanes[kChains];
  L::put_chains(misfits, lanes);
  const V misfit = smaller(smaller(lanes[0], lanes[1]), smaller(lanes[2], lanes[3]));
  const Chains bits = larger(L::all_chains(misfit) - misfits, Chains(kLeastPower));
  const Chains likelihoods = L::chains(s.odds) * step.sums.likelihood * power_of_two(bits);
  L::put_chains(likelihoods, lanes);
  const V best = larger(larger(lanes[0], lanes[1]), larger(lanes[2], lanes[3]));
  const Chains odds = larger(likelihoods * L::all_chains(1.0 / best), L::chain_table(floors));
  L::put_chains(odds, lanes);
  const V total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]), before = s.total_odds;
  s.feedback = mean_of_chains(s, s.mean_volatility);
  L::put_chains(odds, s.odds);
  L::put_chains(odds * L::all_chains(1.0 / total), s.chain_weight);
  s.total_odds = total;
  return {misfit, best * total / before};
}

// What the samples in the lag learn: means move with the innovation, covariances follow the mixture's moments.
template <class Chains>
struct LagUpdate {
  Chains revision, factor;
};

template <class V>
inline LagUpdate<typename Layout<V>::Quad> advance_chains(CausalStateOf<V>& s, const ChainStep<V>& step) noexcept {
  using L = Layout<V>;
  using Chains = typename L::Quad;
  const auto& sums = step.sums;
  const Chains one(1.0), norm = one / sums.likelihood, square = step.e * step.e;
  const Chains gain = sums.gain * norm, precision = sums.precision * norm, volatilities = one / sums.volatilities;
  const Chains spread = larger(sums.gain_square * norm - gain * gain, Chains(0.0));
  L::put_chains(L::chains(s.level) + gain * step.e, s.level);
  L::put_chains(sums.noise * norm + spread * square, s.level_variance);
  L::put_chains(sums.volatility * volatilities, s.mean_volatility);
  V scales[kChains];
  L::put_chains(volatilities, scales);
  scale_volatilities(s, scales + kKinds);
  return {precision * step.e, (one - gain) + (sums.precision_gain * norm - precision * gain) * square};
}

inline void miss_chains(CausalState& s) noexcept {
  for (double& variance : s.level_variance) variance += s.step_variance;
}

}  // namespace
