// SPDX-License-Identifier: MIT
// The causal denoiser, sample by sample: units, lags and the two methods.
#pragma once

namespace {

using rpsd::kernels::CausalLags;
using rpsd::kernels::CausalLagsOf;
using rpsd::kernels::kDue;
using rpsd::kernels::kEarly;

constexpr double kFarthest = 0x1p200;   // of the first move: fourth powers stay within the range of numbers
constexpr double kLeastGate = 1e-3;     // below it a series is left exactly as it is
constexpr double kChainsFrom = 16, kJumpsFrom = 24;  // samples
constexpr double kLargeSquare = 6;                 // of an innovation, in its variances: it may be a jump

template <class V>
inline V units_of(const CausalStateOf<V>& s, const V& price) noexcept {
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
inline bool is_due(double time) noexcept { return time < kEarly || static_cast<uint64_t>(time) % kDue == 0; }

template <class V>
inline V gate_of_gain(const CausalSettings& settings, const V& gain_db) noexcept {
  return clip((gain_db - settings.least_gain) * settings.gain_slope, 0.0, 1.0);
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
    if (is_due(s.time)) renew(settings, s);
  }

  static inline void step(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    const double regression = lags.lookahead > 0 ? regression_of_filters(s) : 0;
    advance_filters<false>(s, value, 0.0, 1.0);
    if (is_due(s.time)) renew(settings, s);
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
  static inline void renew(const CausalSettings& settings, CausalState& s) noexcept {
    close_block(s);
    weigh_all(s);
    s.gain_db = causal_gain_db(s.noise_variance, s.step_variance);
    s.gate = gate_of_gain(settings, s.gain_db);
  }

  static constexpr double kLeastRegression = 0x1p-200;  // smaller ones would be denormal in the end, which is slow
};

template <class V>
inline void revise(const CausalLagsOf<V>& lags, const LagUpdate<typename Layout<V>::Quad>& update) noexcept {
  using L = Layout<V>;
  using Part = typename L::Part;
  // Far outside of what is known the moments lose their digits to cancellation: bounds that samples never meet otherwise.
  constexpr double kMostGrowth = 8, kMost = kFarthest * kFarthest;
  const Part least(0x1p-400), zero(0.0);
  Part revision[L::kLagParts], factor[L::kLagParts];
  L::lag_parts(update.revision, revision);
  L::lag_parts(update.factor, factor);
  for (Part& f : factor) f = smaller(larger(f, Part(-kMostGrowth)), Part(kMostGrowth));
  for (size_t i = 0; i < lags.lookahead * kChains; i += L::kLagParts * L::kAtOnce)
    for (size_t k = 0, j = i; k < L::kLagParts; ++k, j += L::kAtOnce) {
      const Part covariance = L::get(lags.covariances + j);
      const Part next = smaller(larger(covariance * factor[k], Part(-kMost)), Part(kMost));
      L::put(L::get(lags.means + j) + covariance * revision[k], lags.means + j);
      L::put(select_positive(next * next - least, next, zero), lags.covariances + j);
    }
}

struct AutomaticMethod {
  static constexpr size_t kLagValues = kChains;

  static inline void miss(const CausalSettings& settings, CausalState& s, const CausalLags&) noexcept {
    miss_filters(s);
    if (s.running != 0) miss_chains(s);
    if (is_due(s.time) && s.counted + s.block_counted > 0) renew(settings, s, is_due(s.time / 2));
  }

  // The chains take over from the bank; what is in the lag stays as it came.
  static inline void begin(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    restart_chains(settings, s, mean_of_filters(s, s.weight), variance_of_filters(s));
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

  // What the chains make of a sample: the probability that it is a jump, of what is large enough.
  template <class V>
  static inline V advance(const CausalSettings& settings, CausalStateOf<V>& s, const CausalLagsOf<V>& lags, const V& value,
                          Evidence<V>& evidence) noexcept {
    const V e = value - s.level[0], f = s.level_variance[0] + s.step_variance + s.noise_variance;
    const ChainStep<V> chains = lags.lookahead > 0 ? weigh_components<true>(s, value) : weigh_components<false>(s, value);
    const auto update = advance_chains(s, chains);
    if (lags.lookahead > 0) revise(lags, update);
    evidence = weigh_chains(settings, s, chains);
    return select_positive(e * e - kLargeSquare * f, chains.jump, Layout<V>::constant(0));
  }

  // The weights and the gate are made anew, and those of the recent samples.
  template <class V>
  static inline void renew(const CausalSettings& settings, CausalStateOf<V>& s, bool recent_due) noexcept {
    using L = Layout<V>;
    close_block(s);
    weigh_all(s);
    if (recent_due) weigh_recent(s);
    s.gain_db = causal_gain_db(s.noise_variance, s.step_variance);
    const V zero = L::constant(0), open = belief(s) * gate_of_gain(settings, s.gain_db);
    const V since_reset = s.time - s.reset_time - kQuietAfterReset;
    s.gate = select_positive(since_reset + 1.0, select_positive(s.still - kMostStill, zero, open), zero);
    s.gate = select_positive(s.running, s.gate, zero);
  }

  // What the bank makes of it. due, recent_due: weights are made anew.
  template <class V>
  static inline void learn(const CausalSettings& settings, CausalStateOf<V>& s, const V& value, const V& volatility,
                           const V& likely_jump, bool due, bool recent_due) noexcept {
    test_increment(s, value);
    const V jump = believed_jump(s, likely_jump);
    if (Layout<V>::any_positive(jump))
      advance_filters<true>(s, value, jump, volatility);
    else
      advance_filters<false>(s, value, jump, volatility);
    if (due) renew(settings, s, recent_due);
  }

  static inline void settle(const CausalSettings& settings, CausalState& s, double value, double volatility, double jump,
                            const Alarms<double>& alarms) noexcept {
    if (alarms.quiet > 0) return begin_again(s, value);
    const bool changed = alarms.changed > 0;
    if (changed) {
      const double level = mean_of_filters(s, s.recent_weight);
      restart_sums(s);
      restart_chains(settings, s, level, recent_variance_of_filters(s));
    }
    learn(settings, s, value, volatility, jump, changed || is_due(s.time), changed || is_due(s.time / 2));
  }

  static inline void step(const CausalSettings& settings, CausalState& s, const CausalLags& lags, double value) noexcept {
    const double volatility = s.feedback;  // as expected before this sample is seen
    double jump = 0;
    Alarms<double> alarms = {0, 0};
    if (s.time >= kChainsFrom && s.step_variance > 0) {
      if (s.running == 0) begin(settings, s, lags, value);
      Evidence<double> evidence;
      jump = advance(settings, s, lags, value, evidence);
      if (s.time <= kJumpsFrom) jump = 0;
      if (s.time >= kEarly) alarms = watch(s, value, volatility, evidence);
    }
    settle(settings, s, value, volatility, jump, alarms);
  }

  template <class V>
  static inline V now(const CausalStateOf<V>& s) noexcept {
    return mean_of_chains(s, s.level);
  }
  template <class V>
  static inline V lagged(const CausalStateOf<V>& s, const V* means) noexcept {
    return mean_of_chains(s, means);
  }
  template <class V>
  static inline void keep(const CausalStateOf<V>& s, V* means, V* covariances) noexcept {
    memcpy(means, s.level, sizeof s.level);
    memcpy(covariances, s.level_variance, sizeof s.level_variance);
  }

 private:
  // Many jumps in a row are no jumps, and after a change none is known yet.
  template <class V>
  static inline V believed_jump(CausalStateOf<V>& s, const V& likely) noexcept {
    constexpr double kForget = 0.8, kMost = 2, kAfterReset = 32, kNone = 1e-6;
    const V zero = Layout<V>::constant(0), known = select_positive(s.time - s.reset_time - (kAfterReset - 1), likely, zero);
    const V jump = select_positive(kMost - s.recent_jumps, select_positive(known - kNone, known, zero), zero);
    const V recent = kForget * s.recent_jumps + jump;
    s.recent_jumps = select_positive(recent - kNone, recent, zero);
    s.jumps = s.jumps + jump;
    return jump;
  }
};

// The price that leaves the lag, taken towards its estimate as far as the gate is open.
template <class Method, class V>
inline V emit(CausalStateOf<V>& s, const CausalLagsOf<V>& lags, size_t slot, const V& price) noexcept {
  V came = price, estimate;
  if (lags.lookahead == 0) {
    estimate = Method::now(s);
  } else {
    V *const mean = lags.means + slot * Method::kLagValues, *const covariance = lags.covariances + slot * Method::kLagValues;
    came = lags.prices[slot];
    lags.prices[slot] = price;
    estimate = Method::lagged(s, mean);
    Method::keep(s, mean, covariance);
  }
  const V denoised = came + s.gate * (clip(estimate, -kFarthest, kFarthest) - units_of(s, came)) * s.unit;
  return select_positive(s.gate - kLeastGate, denoised, came);
}

template <class Method>
void causal_sweep(const CausalSettings& settings, CausalState& s, const CausalLags& lags, const double* x, size_t n,
                  double* y) noexcept {
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
    y[i] = emit<Method>(s, lags, slot, price);
    slot = slot + 1 >= lags.lookahead ? 0 : slot + 1;
  }
  s.slot = static_cast<double>(slot);
  s.seen += static_cast<double>(n);
}

}  // namespace
