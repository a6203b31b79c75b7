// SPDX-License-Identifier: MIT
// Is there noise, and did it change? Both from running sums.
#pragma once

namespace {

constexpr double kNeededOdds = 5.754602676005731;  // e^1.75
constexpr size_t kClean = 4;                       // filters of hardly any noise: NSR 0.05 to 0.123
constexpr double kStillShare = 1.0 / 64, kMostStill = 0.9;  // prices that hardly ever move are left alone
constexpr double kHardly = 1e-100;
constexpr double kDeadZone = 0.1;                  // of the belief in noise
constexpr double kQuietAfterReset = 16, kNever = -1e9;

// Noise makes increments that follow each other go apart. Their products, clipped at four mean sizes, are a martingale's
// differences where there is none, whatever the law of the steps and their volatility.
template <class V>
inline void test_increment(CausalStateOf<V>& s, const V& value) noexcept {
  using L = Layout<V>;
  constexpr double kClip = 4;
  const V zero = L::constant(0), move = value - s.last_value, size = larger(move, zero - move);
  const V stood = select_positive(size, zero, L::constant(1));
  const V still = s.still + (stood - s.still) * kStillShare;
  s.still = select_positive(still - kHardly, still, zero);  // no denormal number, which would be slow
  s.last_value = value;
  s.moves = s.moves + 1.0;
  s.move_sum = s.move_sum + size;
  const V most = kClip * s.move_sum / s.moves, clipped = smaller(most, larger(move, zero - most)), product = clipped * s.last_move;
  s.products = s.products - product;
  s.product_squares = s.product_squares + product * product;
  s.last_move = clipped;
}

// The odds of noise by that test: mean of two self-normalised e-values (de la Pena, Lai & Shao 2009), twice.
template <class V>
inline V odds_of_increments(const CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  constexpr double kScale = 1.25, kLargest = 900, kWidths[2] = {10, 100};
  const V size = kScale * s.move_sum / s.moves, fourth = (size * size) * (size * size);
  const V signed_square = s.products * larger(s.products, 0.0 - s.products);
  V roots[2], powers[2];
  for (size_t k = 0; k < 2; ++k) {
    const V c = kWidths[k] * fourth, inverse = 1.0 / (s.product_squares + c);
    roots[k] = square_root(c * inverse);
    powers[k] = clip(kHalfBit * signed_square * inverse, kLeastPower, kLargest);
  }
  L::powers_of_two(powers);
  return roots[0] * powers[0] + roots[1] * powers[1];
}

// How far to believe in noise, 0 to 1: by the bank's posterior and by the test of increments, whichever says less.
template <class V>
inline V belief(const CausalStateOf<V>& s) noexcept {
  using L = Layout<V>;
  const V least = L::constant(1e-300);
  V clean = L::constant(0);
  for (size_t i = 0; i < kClean; ++i) clean = clean + s.weight[i];
  V odds = (larger(1.0 - clean, least) / (kFilters - kClean * 1.0)) / (larger(clean, least) / (kClean * 1.0));
  odds = select_positive(s.product_squares, smaller(odds_of_increments(s), odds), odds);
  const V probability = odds / (odds + kNeededOdds);
  return larger_than_zero((probability - kDeadZone) / (1 - kDeadZone));
}

// Two models that may do better than the one in use: their innovations and the variances of these.
template <class V>
struct Rivals {
  V e[2], f[2];
};

// Likelihoods of a sample by them, with heavy tails, over that of all chains; the logarithms, clipped.
template <class V>
inline void advantages(const Rivals<V>& rivals, const Evidence<V>& used, V* advantage) noexcept {
  using L = Layout<V>;
  constexpr double kMost = 3, kTails[3] = {1, 10, 200}, kWeights[3] = {0.95, 0.05, 0.003};
  constexpr double kRoots[3] = {1, 3.1622776601683795, 14.142135623730951};
  V bits[2], bodies[4], logs[2];
  for (size_t k = 0; k < 2; ++k) {
    const V inverse = 1.0 / rivals.f[k];
    bits[k] = kHalfBit * rivals.e[k] * rivals.e[k] * inverse;
    logs[k] = square_root(inverse) / used.ratio;
    for (size_t t = 0; t < 2; ++t)  // in units of the widest tail's exponential
      bodies[2 * k + t] = larger(bits[k] * (1 / kTails[2] - 1 / kTails[t]), L::constant(kLeastPower));
  }
  L::powers_of_two(bodies);
  for (size_t k = 0; k < 2; ++k)
    logs[k] = logs[k] * (kWeights[0] * bodies[2 * k] + kWeights[1] / kRoots[1] * bodies[2 * k + 1] + kWeights[2] / kRoots[2]);
  L::binary_logarithms(logs);
  for (size_t k = 0; k < 2; ++k)
    advantage[k] = clip(kLn2 * (logs[k] - bits[k] * (1 / kTails[2]) + used.misfit), -kMost, kMost);
}

// By how much two alarms exceed their bounds: positive where the recent samples' model must take over, and where the
// series counts as a new one.
template <class V>
struct Alarms {
  V changed, quiet;
};

// Sums up by how much rivals do better (Page 1954). One is the model of the recent samples. The other is a filter that
// expects a sixteenth of the noise: that noise has fallen shows within some samples, where the recent sums, full of larger
// errors, need more than their memory. Prices that do not move say nothing of it, and where the gate is closed too much
// noise does no harm.
template <class V>
inline Alarms<V> watch(CausalStateOf<V>& s, const V& value, const V& volatility, const Evidence<V>& used) noexcept {
  using L = Layout<V>;
  constexpr double kQuiet = 1.0 / 16, kAlarm = 20, kOpen = 0.5;
  const V noise = kQuiet * s.noise_variance, before = s.quiet_variance + volatility * s.step_variance, f = before + noise;
  const V e = value - s.quiet_level, gain = before / f, zero = L::constant(0), move = value - s.last_value;
  const V recent = recent_variance_of_filters(s) + s.recent_variance;
  V advantage[2];
  advantages<V>({{e, value - mean_of_filters(s, s.recent_weight)}, {f, recent}}, used, advantage);
  s.quiet_level = s.quiet_level + gain * e;
  s.quiet_variance = gain * noise;
  const V sum = larger_than_zero(s.quiet_alarm + select_positive(larger(move, zero - move), advantage[0], zero));
  s.quiet_alarm = select_positive(s.gate - kOpen, sum, zero);
  s.alarm = larger_than_zero(s.alarm + advantage[1]);
  return {s.alarm - kAlarm, s.quiet_alarm - kAlarm};
}

// From here on the series is a new one.
inline void begin_again(CausalState& s, double value) noexcept {
  for (size_t i = 0; i < kFilters; ++i) {
    s.mean[i] = value;
    s.variance[i] = s.block_product[i] = 1;
    s.squares[i] = s.logs[i] = s.recent_squares[i] = s.recent_logs[i] = s.block_squares[i] = 0;
    s.scale[i] = s.recent_scale[i] = 0;
    s.weight[i] = s.recent_weight[i] = 1.0 / kFilters;
  }
  for (double& variance : s.level_variance) variance = 0;
  s.counted = s.recent_counted = s.block_counted = 0;
  s.block_decay = s.feedback = 1;
  s.noise_variance = s.step_variance = s.recent_variance = s.gain_db = s.gate = 0;
  s.products = s.product_squares = s.moves = s.move_sum = s.last_move = 0;
  s.jumps = s.recent_jumps = s.alarm = s.quiet_alarm = s.time = s.running = 0;
  s.last_value = value;
  s.reset_time = kNever;
  s.resets += 1;
}

// Starts anew from the sums of the recent samples, which count as eight.
inline void restart_sums(CausalState& s) noexcept {
  constexpr double kKept = 8;
  close_block(s);
  const double share = s.recent_counted > kKept ? kKept / s.recent_counted : 1;
  for (size_t i = 0; i < kFilters; ++i) {
    s.squares[i] = share * s.recent_squares[i];
    s.logs[i] = share * s.recent_logs[i];
  }
  s.counted = share * s.recent_counted;
  s.products = s.product_squares = s.move_sum = s.moves = 0;
  s.alarm = s.jumps = 0;
  s.resets += 1;
  s.reset_time = s.time;
}

}  // namespace
