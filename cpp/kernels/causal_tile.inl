// SPDX-License-Identifier: MIT
// The components of the four chains' mixtures for a tile of series, in the order of causal_components.inl. Rows that a
// kind does not have add zeros there, and are left out.
#pragma once

namespace {

using Tile = CausalStateOf<Real>;

// What the components of one chain share.
struct ChainContext {
  Real variance, q, r, q_now, half_bits, widest;
};

// The rows of one chain, in registers or the nearest cache.
struct ChainRows {
  Real share[kRows], gain[kRows], noise[kRows], precision[kRows];

  // Returns the likelihood.
  RPSD_ALWAYS_INLINE Real set(size_t row, const ChainContext& chain, const Real& step_variance, const Real& noise_variance) noexcept {
    const Real before = chain.variance + step_variance;
    noise[row] = noise_variance;
    precision[row] = splat(1) / (before + noise_variance);
    gain[row] = before * precision[row];
    const Real bits = larger(chain.half_bits * (chain.widest - precision[row]), splat(kLeastPower));
    return square_root(precision[row]) * power_of_two(smaller(bits, splat(0)));
  }

  // A rare row: a jump, two kinds of bad samples.
  RPSD_ALWAYS_INLINE void set_rare(size_t row, size_t rare, const ChainContext& chain, const Real& rate) noexcept {
    const Real noise_variance = rare == 0 ? chain.r : chain.r * splat(rare == 1 ? kNoisy : kBad);
    share[row] = rate * set(row, chain, rare == 0 ? chain.q_now * splat(kJumpSize) : chain.q_now, noise_variance);
  }
};

// The sum of term(row): rows that are four apart, then 0 and 2, 1 and 3, then both.
template <size_t kCount, class Term>
RPSD_ALWAYS_INLINE Real sum_rows(Term term) noexcept {
  Real rows[kBundleRows];
  RPSD_UNROLL
  for (size_t row = 0; row < kBundleRows && row < kCount; ++row) {
    rows[row] = term(row);
    if (row + kBundleRows < kCount) rows[row] = rows[row] + term(row + kBundleRows);
  }
  if (kCount <= 2) return rows[0] + rows[1];
  const Real even = rows[0] + rows[2];
  return even + (kCount == 3 ? rows[1] : rows[1] + rows[3]);
}

template <bool kLag, size_t kCount>
RPSD_ALWAYS_INLINE void sum_chain(const ChainRows& rows, size_t c, ChainSums<Layout<Real>::Quad>& sums) noexcept {
  Real part[kRows], sharp[kRows];
  RPSD_UNROLL
  for (size_t row = 0; row < kCount; ++row) {
    part[row] = rows.share[row] * rows.gain[row];
    if (kLag) sharp[row] = rows.share[row] * rows.precision[row];
  }
  sums.likelihood.part[c] = sum_rows<kCount>([&](size_t row) { return rows.share[row]; });
  sums.gain.part[c] = sum_rows<kCount>([&](size_t row) { return part[row]; });
  sums.gain_square.part[c] = sum_rows<kCount>([&](size_t row) { return part[row] * rows.gain[row]; });
  sums.noise.part[c] = sum_rows<kCount>([&](size_t row) { return part[row] * rows.noise[row]; });
  if (!kLag) return;
  sums.precision.part[c] = sum_rows<kCount>([&](size_t row) { return sharp[row]; });
  sums.precision_gain.part[c] = sum_rows<kCount>([&](size_t row) { return sharp[row] * rows.gain[row]; });
}

struct RareRates {
  Real left, rare[3];  // of the rows, and what they leave
};

template <bool kLag, size_t kKind>
inline Real add_constant(const ChainContext& chain, const RareRates& rates, ChainSums<Layout<Real>::Quad>& sums) noexcept {
  constexpr size_t kCount = kKind == 1 ? 4 : 2;
  ChainRows rows;
  rows.share[0] = rates.left * rows.set(0, chain, chain.q, chain.r);
  RPSD_UNROLL
  for (size_t row = 1; row < kCount; ++row) rows.set_rare(row, row - 1, chain, rates.rare[row - 1]);
  sum_chain<kLag, kCount>(rows, kKind, sums);
  sums.volatilities.part[kKind] = sums.volatility.part[kKind] = splat(1);
  return rows.share[1];
}

template <bool kLag, size_t kKind>
inline void add_moving(Tile& s, const ChainContext& chain, const RareRates& rates, ChainSums<Layout<Real>::Quad>& sums) noexcept {
  constexpr size_t kChain = kKinds + kKind, kCount = kVolatilities + (kKind == 1 ? 3 : 1);
  ChainRows rows;
  Real before[kVolatilities + 2], posterior[kVolatilities];
  before[0] = before[kVolatilities + 1] = splat(0);
  RPSD_UNROLL
  for (size_t j = 0; j < kVolatilities; ++j)
    before[j + 1] = s.volatility[j * kKinds + kKind] * splat(1 - kReturn) + splat(kTables.returns[j * kKinds]);
  RPSD_UNROLL
  for (size_t j = 0; j < kVolatilities; ++j) {
    const size_t i = j * kKinds;
    const Real prior = splat(kTables.stay[i]) * before[j + 1] + splat(kTables.drift[i]) * (before[j] + before[j + 2]);
    posterior[j] = prior * rows.set(j, chain, chain.q * splat(kTables.fixed[i]), chain.r);
    rows.share[j] = rates.left * posterior[j];
    s.volatility[i + kKind] = posterior[j];
  }
  RPSD_UNROLL
  for (size_t row = kVolatilities; row < kCount; ++row)
    rows.set_rare(row, row - kVolatilities, chain, rates.rare[row - kVolatilities]);
  sum_chain<kLag, kCount>(rows, kChain, sums);
  sums.volatilities.part[kChain] = sum_rows<kVolatilities>([&](size_t j) { return posterior[j]; });
  sums.volatility.part[kChain] =
      sum_rows<kVolatilities>([&](size_t j) { return posterior[j] * splat(kTables.fixed[j * kKinds]); });
}

template <bool kLag>
inline ChainStep<Real> weigh_components(Tile& s, const Real& value) noexcept {
  const Real jump_rate = rate_of_jumps(s), q = s.step_variance, r = s.noise_variance;
  const RareRates learnt = {splat(1) - jump_rate, {jump_rate, splat(0), splat(0)}};
  const RareRates fixed = {splat(kTables.left[1]), {splat(kBadJumpRate), splat(kNoisyRate), splat(kBadRate)}};
  ChainContext chains[kChains];
  ChainStep<Real> step;
  for (size_t c = 0; c < kChains; ++c) {
    const Real e = value - s.level[c], q_now = q * s.mean_volatility[c], variance = s.level_variance[c];
    const Real outside = larger(splat(kJumpSize) * q_now + r, q_now + splat(kTables.widest_noise[c % kKinds]) * r);
    chains[c] = {variance, q, r, q_now, splat(kHalfBit) * e * e, splat(1) / (variance + outside)};
    step.e.part[c] = e;
    step.widest.part[c] = chains[c].widest;
  }
  step.sums.precision = step.sums.precision_gain = Layout<Real>::Quad(0.0);
  const Real jump = add_constant<kLag, 0>(chains[0], learnt, step.sums);
  step.jump = jump / step.sums.likelihood.part[0];
  add_constant<kLag, 1>(chains[1], fixed, step.sums);
  add_moving<kLag, 0>(s, chains[2], learnt, step.sums);
  add_moving<kLag, 1>(s, chains[3], fixed, step.sums);
  return step;
}

inline void scale_volatilities(Tile& s, const Real* scales) noexcept {
  for (size_t i = 0; i < kVolatilities * kKinds; ++i) s.volatility[i] = s.volatility[i] * scales[i % kKinds];
}

}  // namespace
