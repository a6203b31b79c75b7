// SPDX-License-Identifier: MIT
// Is there noise, and did it change? Both from running sums.
#pragma once

namespace {

constexpr double kNeededOdds = 5.754602676005731;  // e^1.75
constexpr size_t kClean = 4;                       // filters of hardly any noise: NSR 0.05 to 0.123
constexpr double kStillShare = 1.0 / 64, kMostStill = 0.9;  // prices that hardly ever move are left alone
constexpr double kDeadZone = 0.1;                  // of the belief in noise
constexpr double kQuietAfterReset = 16, kNever = -1e9;

// Noise makes increments that follow each other go apart. Their products, clipped at four mean sizes, are a martingale's
// differences where there is none, whatever the law of the steps and their volatility.
inline void test_increment(CausalState& s, double value) noexcept {
  constexpr double kClip = 4;
  const double move = value - s.last_value, size = move < 0 ? -move : move;
  s.still += ((move == 0 ? 1 : 0) - s.still) * kStillShare;
  s.last_value = value;
  s.moves += 1;
  s.move_sum += size;
  const double most = kClip * s.move_sum / s.moves, clipped = clip(move, -most, most), product = clipped * s.last_move;
  s.products -= product;
  s.product_squares += product * product;
  s.last_move = clipped;
}

// The odds of noise by that test: mean of two self-normalised e-values (de la Pena, Lai & Shao 2009), twice.
inline double odds_of_increments(const CausalState& s) noexcept {
  constexpr double kScale = 1.25, kLargest = 600, kWidths[2] = {10, 100};
  const double size = kScale * s.move_sum / s.moves, fourth = (size * size) * (size * size);
  const double signed_square = s.products * (s.products < 0 ? -s.products : s.products);
  double odds = 0;
  for (const double width : kWidths) {
    const double c = width * fourth, sum = s.product_squares + c, exponent = 0.5 * signed_square / sum;
    odds += sqrt(c / sum) * exponential_of(exponent > kLargest ? kLargest : exponent);
  }
  return odds;
}

// How far to believe in noise, 0 to 1: by the bank's posterior and by the test of increments, whichever says less.
inline double belief(const CausalState& s) noexcept {
  double clean = 0;
  for (size_t i = 0; i < kClean; ++i) clean += s.weight[i];
  const double noisy = 1 - clean;
  double odds = ((noisy > 1e-300 ? noisy : 1e-300) / (kFilters - kClean)) / ((clean > 1e-300 ? clean : 1e-300) / kClean);
  if (s.product_squares > 0) {
    const double other = odds_of_increments(s);
    odds = other < odds ? other : odds;
  }
  const double probability = odds / (odds + kNeededOdds);
  return probability > kDeadZone ? (probability - kDeadZone) / (1 - kDeadZone) : 0;
}

// Likelihood of a sample by the filters of the recent samples alone, with heavy tails, over that of all chains; its
// logarithm, clipped.
inline double recent_advantage(double e, double f, const Evidence& used) noexcept {
  constexpr double kMost = 3, kTails[3] = {1, 10, 200}, kWeights[3] = {0.95, 0.05, 0.003};
  // In units of the widest tail's exponential.
  static constexpr double kFactors[kBundle] = {1 / kTails[2] - 1 / kTails[0], 1 / kTails[2] - 1 / kTails[1]};
  const double inverse = 1 / f, half_square = 0.5 * e * e * inverse;
  double bodies[kRealLanes];
  store(bodies, exponential_within(larger(splat(-650), splat(half_square) * load(kFactors))));
  const double sum = kWeights[0] * bodies[0] + kWeights[1] / sqrt(kTails[1]) * bodies[1] + kWeights[2] / sqrt(kTails[2]);
  return clip(logarithm_of(sum * sqrt(inverse) / used.ratio) - half_square / kTails[2] - used.offset, -kMost, kMost);
}

// Sums up by how much the recent samples' model does better than the one in use (Page 1954); true where it must take over.
inline bool has_changed(CausalState& s, double advantage) noexcept {
  constexpr double kAlarm = 20;
  const double sum = s.alarm + advantage;
  s.alarm = sum > 0 ? sum : 0;
  return s.alarm > kAlarm;
}

// The same for a filter that expects a sixteenth of the noise: that noise has fallen shows within some samples, where the
// recent sums, full of larger errors, need more than their memory. Prices that do not move say nothing of it, and where the
// gate is closed too much noise does no harm.
inline bool is_quiet(CausalState& s, double value, double volatility, const Evidence& used) noexcept {
  constexpr double kQuiet = 1.0 / 16, kAlarm = 20, kOpen = 0.5;
  const double noise = kQuiet * s.noise_variance, before = s.quiet_variance + volatility * s.step_variance, f = before + noise;
  const double e = value - s.quiet_level, gain = before / f;
  const double advantage = value == s.last_value ? 0 : recent_advantage(e, f, used);
  s.quiet_level += gain * e;
  s.quiet_variance = gain * noise;
  const double sum = s.quiet_alarm + advantage;
  s.quiet_alarm = sum > 0 && s.gate > kOpen ? sum : 0;
  return s.quiet_alarm > kAlarm;
}

// From here on the series is a new one.
inline void begin_again(CausalState& s, double value) noexcept {
  for (size_t i = 0; i < kFilters; ++i) {
    s.mean[i] = value;
    s.variance[i] = s.block_mantissa[i] = 1;
    s.squares[i] = s.logs[i] = s.recent_squares[i] = s.recent_logs[i] = s.block_squares[i] = s.block_exponent[i] = 0;
    s.scale[i] = s.recent_scale[i] = 0;
    s.weight[i] = s.recent_weight[i] = 1.0 / kFilters;
  }
  for (double& variance : s.level_variance) variance = 0;
  s.counted = s.recent_counted = s.block_counted = 0;
  s.block_decay = s.feedback = 1;
  s.noise_variance = s.step_variance = s.gain_db = s.gate = 0;
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
