// SPDX-License-Identifier: MIT
// The causal denoiser, sample by sample: units, lags and the two methods.
#pragma once

namespace {

using rpsd::kernels::CausalLags;

constexpr double kFarthest = 0x1p200;   // of the first move: fourth powers stay within the range of numbers
constexpr double kLeastGate = 1e-3;     // below it a series is left exactly as it is
constexpr double kChainsFrom = 16, kJumpsFrom = 24, kChangesFrom = 64, kEarly = 64;  // samples

inline double units_of(const CausalState& s, double price) noexcept {
  return clip((price - s.centre) * s.inverse_unit, -kFarthest, kFarthest);
}

// True once prices have moved. From then on they are taken in units of about the first move: a power of two, so that
// scaling prices by one changes no bit.
inline bool has_moved(CausalState& s, double price) noexcept {
  if (s.unit > 0) return true;
  if (s.last_price != s.last_price) s.centre = price;
  if (price == s.centre) return false;
  constexpr uint64_t kSmallest = uint64_t{2} << kMantissaBits, kLargest = uint64_t{2044} << kMantissaBits;
  const double move = price > s.centre ? price - s.centre : s.centre - price;
  uint64_t bits;
  memcpy(&bits, &move, sizeof bits);
  bits &= ~kMantissaMask;
  bits = bits < kSmallest ? kSmallest : (bits > kLargest ? kLargest : bits);
  memcpy(&s.unit, &bits, sizeof bits);
  s.inverse_unit = 1 / s.unit;
  return true;
}

// The weights are made anew with every sample at first, then with every eighth.
inline bool is_due(double time) noexcept { return time < kEarly || static_cast<uint64_t>(time) % 8 == 0; }

inline double gate_of_gain(const CausalSettings& settings, double gain_db) noexcept {
  return clip((gain_db - settings.least_gain) * settings.gain_slope, 0, 1);
}

// The local level model as it stands: the mean over the posterior of the noise ratio.
struct KalmanMethod {
  static constexpr size_t kLagValues = 1;

  // A level in the lag follows the revision of the level now by its regression on it, a product of the smoother's gains.
  static inline void regress(const CausalLags& lags, double gain, double revision) noexcept {
    const Samples factor(gain), change(revision);
    for (size_t i = 0; i < lags.lookahead; i += kBundle) {
      const Samples regression = factor * Samples(lags.covariances + i);
      const Samples kept = select_positive(regression - Samples(kLeastRegression), regression, Samples(0.0));
      kept.to(lags.covariances + i);
      (Samples(lags.means + i) + kept * change).to(lags.means + i);
    }
  }

  static inline void miss(const CausalSettings& settings, CausalState& s, const CausalLags& lags) noexcept {
    if (lags.lookahead > 0) regress(lags, regression_of_filters(s), 0);
    miss_filters(s);
    if (is_due(s.time) && s.block_counted > 0) refit(settings, s);
  }

  static inline void step(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    const double regression = lags.lookahead > 0 ? regression_of_filters(s) : 0;
    advance_filters<false>(s, value, 0, 1);
    if (is_due(s.time)) refit(settings, s);
    const double level = mean_of_filters(s, s.weight);
    regress(lags, regression, level - s.level[0]);
    s.level[0] = level;
  }

  static inline double now(const CausalState& s) noexcept { return s.level[0]; }
  static inline double lagged(const CausalState&, const double* mean) noexcept { return *mean; }
  static inline void keep(const CausalState& s, double* mean, double* covariance) noexcept {
    *mean = s.level[0];
    *covariance = 1;
  }

 private:
  static inline void refit(const CausalSettings& settings, CausalState& s) noexcept {
    close_block(s);
    weigh_all(s);
    s.gain_db = causal_gain_db(s.noise_variance, s.step_variance);
    s.gate = gate_of_gain(settings, s.gain_db);
  }

  static constexpr double kLeastRegression = 0x1p-200;  // smaller ones would be denormal in the end, which is slow
};

struct AutomaticMethod {
  static constexpr size_t kLagValues = kChains;
  static constexpr double kMostGrowth = 8;

  static inline void revise(const CausalLags& lags, const LagUpdate& update) noexcept {
    double revisions[Quad::kWidth + kBundle], factors[Quad::kWidth + kBundle];
    for (size_t c = 0; c < kBundle; c += Quad::kWidth) {
      update.revision.to(revisions + c);
      update.factor.to(factors + c);
    }
    // Far outside of what is known the moments lose their digits to cancellation: bounds that samples never meet otherwise.
    const Samples least(0x1p-400), farthest(kFarthest * kFarthest), growth(kMostGrowth), zero(0.0);
    const Samples revision(revisions), factor = smaller(larger(Samples(factors), zero - growth), growth);
    for (size_t i = 0; i < lags.lookahead * kChains; i += kBundle) {
      const Samples covariance(lags.covariances + i);
      const Samples next = smaller(larger(covariance * factor, zero - farthest), farthest);
      (Samples(lags.means + i) + covariance * revision).to(lags.means + i);
      select_positive(next * next - least, next, zero).to(lags.covariances + i);
    }
  }

  static inline void miss(const CausalSettings& settings, CausalState& s, const CausalLags&) noexcept {
    miss_filters(s);
    if (s.running != 0) miss_chains(s);
    if (is_due(s.time) && s.block_counted > 0) refit(settings, s);
  }

  // The chains take over from the bank; what is in the lag stays as it came.
  static inline void begin(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    restart_chains(settings, s, mean_of_filters(s, s.weight), variance_of_filters(s, s.weight, s.scale));
    for (size_t l = 0; l < lags.lookahead; ++l)
      for (size_t c = 0; c < kChains; ++c) {
        const double price = lags.prices[l];
        lags.means[l * kChains + c] = price == price ? units_of(s, price) : 0;
        lags.covariances[l * kChains + c] = 0;
      }
    s.running = 1;
    s.quiet_level = value;
    s.quiet_variance = 0;
    s.quiet_alarm = 0;
  }

  static inline void step(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    const double volatility = s.feedback;  // as expected before this sample is seen
    double jump = 0;
    bool changed = false;
    if (s.time >= kChainsFrom && s.step_variance > 0) {
      if (s.running == 0) begin(settings, s, lags, value);
      const double e = value - s.level[0], f = s.level_variance[0] + s.step_variance + s.noise_variance;
      const ChainStep chains = lags.lookahead > 0 ? weigh_components<true>(s, value) : weigh_components<false>(s, value);
      const LagUpdate update = advance_chains(s, chains);
      if (lags.lookahead > 0) revise(lags, update);
      const Evidence evidence = weigh_chains(settings, s, chains);
      if (s.time > kJumpsFrom && e * e > 4 * f) jump = chains.jump;
      if (s.time >= kChangesFrom && is_quiet(s, value, volatility, evidence)) return begin_again(s, value);
      if (s.time >= kChangesFrom) changed = follow_changes(settings, s, value, evidence);
    }
    test_increment(s, value);
    jump = believed_jump(s, jump);
    if (jump > 0)
      advance_filters<true>(s, value, jump, volatility);
    else
      advance_filters<false>(s, value, 0, volatility);
    if (changed || is_due(s.time)) refit(settings, s);
  }

  static inline double now(const CausalState& s) noexcept { return level_of_chains(s, s.level); }
  static inline double lagged(const CausalState& s, const double* means) noexcept { return level_of_chains(s, means); }
  static inline void keep(const CausalState& s, double* means, double* covariances) noexcept {
    memcpy(means, s.level, sizeof s.level);
    memcpy(covariances, s.level_variance, sizeof s.level_variance);
  }

 private:
  static inline void refit(const CausalSettings& settings, CausalState& s) noexcept {
    close_block(s);
    weigh_all(s);
    weigh_filters(s.recent_squares, s.recent_logs, s.recent_counted, s.recent_scale, s.recent_weight);
    s.gain_db = causal_gain_db(s.noise_variance, s.step_variance);
    const bool quiet = s.time - s.reset_time < kQuietAfterReset || s.running == 0 || s.still > kMostStill;
    s.gate = quiet ? 0 : belief(s) * gate_of_gain(settings, s.gain_db);
  }

  static inline bool follow_changes(const CausalSettings& settings, CausalState& s, double value,
                                    const Evidence& used) noexcept {
    const double level = mean_of_filters(s, s.recent_weight);
    const double f = over_filters([&](size_t i) {
      const Samples variance = Samples(s.variance + i) + Samples(kGrid.ratio + i) + Samples(1.0);
      return Samples(s.recent_weight + i) * Samples(s.recent_scale + i) * variance;
    });
    if (!has_changed(s, recent_advantage(value - level, f, used))) return false;
    restart_sums(s);
    restart_chains(settings, s, level, variance_of_filters(s, s.recent_weight, s.recent_scale));
    return true;
  }

  // Many jumps in a row are no jumps, and after a change none is known yet.
  static inline double believed_jump(CausalState& s, double jump) noexcept {
    constexpr double kForget = 0.8, kMost = 2, kAfterReset = 32, kNone = 1e-6;
    if (s.recent_jumps > kMost || s.time - s.reset_time < kAfterReset || jump < kNone) jump = 0;
    const double recent = kForget * s.recent_jumps + jump;
    s.recent_jumps = recent > kNone ? recent : 0;
    s.jumps += jump;
    return jump;
  }
};

template <class Method>
void causal_sweep(const CausalSettings& settings, CausalState& s, const CausalLags& lags, const double* x, size_t n,
                  double* y) noexcept {
  const size_t k = lags.lookahead;
  size_t slot = static_cast<size_t>(s.slot);
  for (size_t i = 0; i < n; ++i) {
    const double value = x[i], price = value == value ? value : s.last_price;
    if (value == value ? has_moved(s, value) : s.unit > 0) {
      s.time += 1;
      if (value == value)
        Method::step(settings, s, lags, units_of(s, value));
      else
        Method::miss(settings, s, lags);
    }
    s.last_price = price;
    double came = price, estimate;
    if (k == 0) {
      estimate = Method::now(s);
    } else {
      double *const mean = lags.means + slot * Method::kLagValues, *const covariance = lags.covariances + slot * Method::kLagValues;
      came = lags.prices[slot];
      lags.prices[slot] = price;
      estimate = Method::lagged(s, mean);
      Method::keep(s, mean, covariance);
      slot = slot + 1 == k ? 0 : slot + 1;
    }
    y[i] = s.gate > kLeastGate ? came + s.gate * (clip(estimate, -kFarthest, kFarthest) - units_of(s, came)) * s.unit : came;
  }
  s.slot = static_cast<double>(slot);
  s.seen += static_cast<double>(n);
}

}  // namespace
