// SPDX-License-Identifier: MIT
// The causal denoiser for a tile of series, sample by sample.
#pragma once

namespace {

// A series that has changed takes the rest of the step alone. Returns whether none began again.
inline bool settle_alone(const CausalSettings& settings, Tile& s, const Real& value, const Real& volatility, const Real& jump,
                         const Alarms<Real>& alarms, bool due, bool recent_due) noexcept {
  constexpr size_t kLane = kRealLanes, kHead = sizeof(CausalState) / sizeof(double);
  double values[kLane], volatilities[kLane], jumps[kLane], changed[kLane], quiet[kLane], fields[kHead];
  store(values, value);
  store(volatilities, volatility);
  store(jumps, jump);
  store(changed, alarms.changed);
  store(quiet, alarms.quiet);
  double* const lanes = reinterpret_cast<double*>(&s);
  CausalState alone[kLane];
  for (size_t l = 0; l < kLane; ++l) {
    if (changed[l] <= 0 && quiet[l] <= 0) continue;
    for (size_t j = 0; j < kHead; ++j) fields[j] = lanes[j * kLane + l];
    memcpy(&alone[l], fields, sizeof fields);
    AutomaticMethod::settle(settings, alone[l], values[l], volatilities[l], jumps[l], {changed[l], quiet[l]});
  }
  AutomaticMethod::learn(settings, s, value, volatility, jump, due, recent_due);
  for (size_t l = 0; l < kLane; ++l) {
    if (changed[l] <= 0 && quiet[l] <= 0) continue;
    memcpy(fields, &alone[l], sizeof fields);
    for (size_t j = 0; j < kHead; ++j) lanes[j * kLane + l] = fields[j];
  }
  return !Layout<Real>::any_positive(alarms.quiet);
}

// Returns false where a series began again.
inline bool step_tile(const CausalSettings& settings, Tile& s, const CausalLagsOf<Real>& lags, const Real& value) noexcept {
  s.time = s.time + 1.0;
  double time[kRealLanes];
  store(time, s.time);
  const bool due = is_due(time[0]), recent_due = is_due(time[0] / 2);
  const Real volatility = s.feedback;
  Evidence<Real> evidence;
  const Real jump = AutomaticMethod::advance(settings, s, lags, value, evidence);
  const Alarms<Real> alarms = watch(s, value, volatility, evidence);
  if (Layout<Real>::any_positive(larger(alarms.changed, alarms.quiet)))
    return settle_alone(settings, s, value, volatility, jump, alarms, due, recent_due);
  AutomaticMethod::learn(settings, s, value, volatility, jump, due, recent_due);
  return true;
}

size_t causal_tile(const CausalSettings& settings, double* const* states, size_t size, size_t lookahead,
                   const double* const* x, size_t n, double* const* y, double* scratch) noexcept {
  constexpr size_t kHead = sizeof(CausalState) / sizeof(double), kAlign = sizeof(Real);
  double* const memory = scratch + (kAlign - reinterpret_cast<uintptr_t>(scratch) % kAlign) % kAlign / sizeof(double);
  Tile& s = *reinterpret_cast<Tile*>(memory);
  Real* const prices = reinterpret_cast<Real*>(memory) + kHead;
  const size_t values = (size - kHead - lookahead) / 2;
  const CausalLagsOf<Real> lags = {lookahead, prices, prices + lookahead, prices + lookahead + values};
  gather<1>(states, 0, size, memory);
  size_t slot = static_cast<size_t>(reinterpret_cast<const CausalState*>(states[0])->slot), done = 0;
  double block[kLaneBlock * kRealLanes];
  for (bool fit = true; fit && done < n;) {
    const size_t begin = done, m = n - done < kLaneBlock ? n - done : kLaneBlock;
    gather<1>(x, begin, m, block);
    for (; fit && done < begin + m; ++done) {
      double* const at = block + (done - begin) * kRealLanes;
      const Real price = load(at);
      fit = step_tile(settings, s, lags, units_of(s, price));
      s.last_price = price;
      store(at, emit<AutomaticMethod>(s, lags, slot, price));
      slot = slot + 1 >= lookahead ? 0 : slot + 1;
    }
    scatter<1>(block, begin, done - begin, kRealLanes, y);
  }
  s.slot = splat(static_cast<double>(slot));
  s.seen = s.seen + static_cast<double>(done);
  scatter<1>(memory, 0, size, kRealLanes, states);
  return done;
}

}  // namespace
