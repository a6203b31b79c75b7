// SPDX-License-Identifier: MIT
#include "rpsd/drift.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMost = 1e150;  // beyond, squares overflow
constexpr double kForget = 1.0 / 256;
constexpr double kHardly = 1e-100;  // what has been forgotten: denormal numbers would be slow

// Each rate may rise to so many times its odds, or fall likewise, before its sum grows. The reference counts as so many
// standard deviations worse than it was found.
constexpr double kOdds[kDrifts] = {2, 1.2, 4, 9};
constexpr double kDoubt = 1.5;
constexpr double kLeast = 0.01;  // no rate counts as rarer: few samples that are missing or stale are no fault
constexpr double kStanding = 1.0 / 3;  // of the threshold: where the sum of an alarm that stands is held
constexpr double kCertain = 1 - 1e-9;  // no rate is above
// Alarms on both sides of scale and noise, on the upper one of the others.
constexpr double kCharts = 6;
// The gain of noise differs little from that of other noise: its rate has to be known better.
constexpr double kNoiseSpan = 4;

// Steady gains of local level filters with noise to step ratios 0.15 * 1.6^i, of which the reference chooses one.
constexpr std::size_t kGains = 10;
constexpr double kGain[kGains] = {0.9784589086901115, 0.9482115443486441, 0.8846104289447153, 0.7739093503695326, 0.6238729016237622,
                                  0.46502445510741763, 0.32618209546053345, 0.2194206030800851, 0.14364050960025787, 0.09242109172124408};
// Half octaves of moves about the first one.
constexpr std::size_t kBins = 64;
constexpr double kHalfOctave = 1.4142135623730951;
// Moves of whole ticks must not lie on an edge of the bins, where rounding would decide.
constexpr double kOffTicks = 1.189207115002721;

struct Rate {
  double count, hits;  // of the reference
  double known;        // 1 once the reference is
  double rise_hit, rise_miss, fall_hit, fall_miss;  // log likelihood ratios
  double rise, fall;   // the cumulative sums of them
  double recent;
  double alarm, alarms;
};

struct State {
  Rate rate[kDrifts];
  double last;  // number; NaN before the first one
  double unit;  // the first move; 0 before
  double bin[kBins];
  double limit;  // that half of the moves exceed, in units
  double level[kGains], past[kGains], cost[kGains], against[kGains], innovations;
  double chosen;  // filter
  double residuals, pairs, covariance, speed;  // sums that are forgotten
  double before, before_that, residual;        // the last two estimates and the last residual
};
static_assert(std::is_standard_layout_v<State> && std::is_trivially_copyable_v<State> && sizeof(State) % sizeof(double) == 0,
              "a state is a block of doubles");

const State& view(const double* state) noexcept { return *reinterpret_cast<const State*>(state); }
State& view(double* state) noexcept { return *reinterpret_cast<State*>(state); }

constexpr std::size_t at(Drift drift) noexcept { return static_cast<std::size_t>(drift); }

// By + - * / alone, for the same bits on every system: 2 atanh((m - 1) / (m + 1)) of a mantissa between 0.7 and 1.42.
double logarithm(double x) noexcept {
  constexpr double ln2 = 0.6931471805599453;
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m * kHalfOctave < 1) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * s * sum + exponent * ln2;
}

// Wilson's (1927) upper limit of a rate.
double upper_limit(double hits, double count) noexcept {
  const double p = hits / count, z = kDoubt * kDoubt / count;
  return (p + z / 2 + std::sqrt(z * (p * (1 - p) + z / 4))) / (1 + z);
}

// Log likelihood ratios of a hit and of a miss, of the odds times `odds` against the upper limit of the rate.
void weigh(double hits, double count, double odds, double& hit, double& miss) noexcept {
  const double p = std::max(kLeast, upper_limit(hits, count)), q = odds * p / (1 + (odds - 1) * p);
  const bool can_rise = p < kCertain;
  hit = can_rise ? logarithm(q / p) : 0;
  miss = can_rise ? logarithm((1 - q) / (1 - p)) : 0;
}

void know(Rate& rate, Drift drift) noexcept {
  const double odds = kOdds[at(drift)];
  weigh(rate.hits, rate.count, odds, rate.rise_hit, rate.rise_miss);
  if (drift == Drift::scale || drift == Drift::noise)  // less missing and less stale is no harm
    weigh(rate.count - rate.hits, rate.count, odds, rate.fall_miss, rate.fall_hit);
  rate.recent = rate.hits / rate.count;
  rate.rise = rate.fall = 0;
  rate.known = 1;
}

void forget(Rate& rate) noexcept { rate.count = rate.hits = rate.known = 0; }

double faded(double v) noexcept { return std::abs(v) > kHardly ? v : 0; }

void follow(Rate& rate, bool hit) noexcept {
  rate.rise = std::max(0.0, rate.rise + (hit ? rate.rise_hit : rate.rise_miss));
  rate.fall = std::max(0.0, rate.fall + (hit ? rate.fall_hit : rate.fall_miss));
  rate.recent = faded(rate.recent + kForget * ((hit ? 1 : 0) - rate.recent));
}

// A fault of the feed is one for as long as it lasts: its sum must come back to zero.
void watch_feed(Rate& rate, Drift drift, bool hit, double reference, double threshold) noexcept {
  if (rate.known == 0) {
    rate.count += 1;
    rate.hits += hit;
    if (rate.count >= reference) know(rate, drift);
    return;
  }
  follow(rate, hit);
  if (rate.rise > threshold) {
    rate.alarms += 1;
    rate.alarm = 1;
  }
  if (rate.alarm != 0) rate.rise = std::min(rate.rise, kStanding * threshold);
  if (rate.rise == 0) rate.alarm = 0;
}

// A change of the series itself is learnt anew; its alarm stands until that is done. True where it is raised.
bool watch_change(Rate& rate, bool hit, double threshold) noexcept {
  follow(rate, hit);
  if (rate.rise <= threshold && rate.fall <= threshold) return false;
  rate.alarm = rate.rise > threshold ? 1 : -1;
  rate.alarms += 1;
  forget(rate);
  return true;
}

void begin_scale(State& s) noexcept {
  std::fill(s.bin, s.bin + kBins, 0.0);
  s.unit = 0;
}

void begin_noise(State& s, double x) noexcept {
  std::fill(s.level, s.level + kGains, x);
  std::fill(s.past, s.past + kGains, 0.0);
  std::fill(s.cost, s.cost + kGains, 0.0);
  std::fill(s.against, s.against + kGains, 0.0);
  s.innovations = 0;
}

std::size_t bin_of(double ratio) noexcept {
  constexpr double most = 65536;
  if (!(ratio > 1 / most)) return 0;
  if (ratio >= most) return kBins - 1;
  int exponent = 0;
  const bool upper = std::frexp(ratio, &exponent) * kHalfOctave >= 1;
  return static_cast<std::size_t>(2 * exponent + upper + 30);
}

double lower_edge(std::size_t bin) noexcept {
  const int half_octaves = static_cast<int>(bin) - 30;
  const double octave = std::ldexp(1.0, (half_octaves - (half_octaves & 1)) / 2 - 1);
  return half_octaves & 1 ? octave * kHalfOctave : octave;
}

// The limit is the edge of a bin that nearest to half of the moves exceed, so that their number is known; where moves are
// of one size it lies right above them.
void know_scale(State& s) noexcept {
  Rate& rate = s.rate[at(Drift::scale)];
  double above = 0, best = -1;
  for (std::size_t bin = kBins; bin-- > 1;) {
    above += s.bin[bin];
    if (above != best && std::abs(above - rate.count / 2) >= std::abs(best - rate.count / 2)) continue;
    best = above;
    s.limit = lower_edge(bin);
  }
  rate.hits = best;
  know(rate, Drift::scale);
  rate.alarm = 0;
}

void watch_scale(State& s, double move, double reference, double threshold) noexcept {
  Rate& rate = s.rate[at(Drift::scale)];
  if (rate.known != 0) {
    if (watch_change(rate, move / s.unit >= s.limit, threshold)) begin_scale(s);
    return;
  }
  if (s.unit == 0) s.unit = move * kOffTicks;
  s.bin[bin_of(move / s.unit)] += 1;
  rate.count += 1;
  if (rate.count >= reference) know_scale(s);
}

// Returns whether the innovation goes against those that its filter had before: half of the time where the gain is right,
// whatever volatility does, more often where there is more noise.
bool innovate(State& s, std::size_t i, double x, double gain, double& size) noexcept {
  const double innovation = x - s.level[i];
  const bool against = innovation * s.past[i] < 0;
  s.level[i] += gain * innovation;
  s.past[i] = (1 - gain) * s.past[i] + innovation;
  size = std::abs(innovation);
  return against;
}

void watch_noise(State& s, double x, double reference, double threshold) noexcept {
  Rate& rate = s.rate[at(Drift::noise)];
  double size = 0;
  if (rate.known != 0) {
    const auto i = static_cast<std::size_t>(s.chosen);
    if (watch_change(rate, innovate(s, i, x, kGain[i], size), threshold)) begin_noise(s, x);
    return;
  }
  s.innovations += 1;
  const double early = 1 / (s.innovations + 1);
  for (std::size_t i = 0; i < kGains; ++i) {
    s.against[i] += innovate(s, i, x, std::max(early, kGain[i]), size);
    s.cost[i] += size;
  }
  if (s.innovations < kNoiseSpan * reference) return;
  const auto best = static_cast<std::size_t>(std::min_element(s.cost, s.cost + kGains) - s.cost);
  s.chosen = static_cast<double>(best);
  rate.count = s.innovations;
  rate.hits = s.against[best];
  know(rate, Drift::noise);
  rate.alarm = 0;
}

// An estimate that lags by some samples differs from its sample by so many times its speed; the speed is that from the
// estimate before to the one after, so that a symmetric smoother has no lag.
void relate(State& s, double sample, double y) noexcept {
  const bool there = std::abs(sample) <= kMost && std::abs(y) <= kMost;
  if (there && !std::isnan(s.before_that)) {
    const double speed = (y - s.before_that) / 2;
    s.covariance = faded(s.covariance + (s.residual * speed - kForget * s.covariance));
    s.speed = faded(s.speed + (speed * speed - kForget * s.speed));
  }
  s.before_that = there ? s.before : kNaN;
  s.before = there ? y : kNaN;
  if (!there) return;
  s.residual = sample - y;
  s.residuals = faded(s.residuals + (std::abs(s.residual) - kForget * s.residuals));
  s.pairs += 1 - kForget * s.pairs;
}

}  // namespace

DriftMonitor::DriftMonitor(const DriftOptions& options)
    : reference_(static_cast<double>(options.reference)), threshold_(logarithm(kCharts * options.run_length)) {
  if (options.reference < 64)
    throw std::invalid_argument("reference must be at least 64 samples, got " + std::to_string(options.reference));
  if (!(options.run_length >= 1000) || std::isinf(options.run_length))
    throw std::invalid_argument("run_length must be a finite number of at least 1000 samples, got " +
                                std::to_string(options.run_length));
}

std::size_t DriftMonitor::state_size() noexcept { return sizeof(State) / sizeof(double); }

void DriftMonitor::start(double* state) const noexcept {
  State& s = view(state) = State{};
  s.last = s.before = s.before_that = kNaN;
}

void DriftMonitor::push(double* state, double x, double sample, double y) const noexcept {
  State& s = view(state);
  relate(s, sample, y);
  const bool missing = !(std::abs(x) <= kMost), begun = !std::isnan(s.last);
  if (begun) watch_feed(s.rate[at(Drift::missing)], Drift::missing, missing, reference_, threshold_);
  if (missing) return;
  const double move = std::abs(x - s.last);
  s.last = x;
  if (!begun) return begin_noise(s, x);
  watch_feed(s.rate[at(Drift::stale)], Drift::stale, move == 0, reference_, threshold_);
  if (move == 0) return;
  watch_scale(s, move, reference_, threshold_);
  watch_noise(s, x, reference_, threshold_);
}

void DriftMonitor::acknowledge(double* state) const noexcept {
  State& s = view(state);
  for (Rate& rate : s.rate) {
    forget(rate);
    rate.alarm = 0;
  }
  begin_scale(s);
  begin_noise(s, s.last);
}

unsigned DriftMonitor::standing(const double* state) const noexcept {
  unsigned bits = 0;
  for (std::size_t i = 0; i < kDrifts; ++i) bits |= (view(state).rate[i].alarm != 0 ? 1u : 0u) << i;
  return bits;
}

DriftReport DriftMonitor::report(const double* state) const noexcept {
  const State& s = view(state);
  DriftReport report{};
  for (std::size_t i = 0; i < kDrifts; ++i) {
    const Rate& rate = s.rate[i];
    const bool known = rate.known != 0;
    report.rates[i] = {known ? rate.hits / rate.count : kNaN, known ? rate.recent : kNaN, static_cast<int>(rate.alarm),
                       static_cast<std::size_t>(rate.alarms)};
  }
  for (const Drift drift : {Drift::missing, Drift::stale}) {
    const Rate& rate = s.rate[at(drift)];
    if (rate.known == 0 && rate.count > 0) report.rates[at(drift)].recent = rate.hits / rate.count;
  }
  report.residual = s.pairs > 0 ? s.residuals / s.pairs : kNaN;
  report.lag = s.speed > 0 ? s.covariance / s.speed : kNaN;
  return report;
}

bool DriftMonitor::is_state(const double* state) const noexcept {
  const State& s = view(state);
  // What becomes an integer must be one that it can be.
  for (const Rate& rate : s.rate)
    if (!(std::fabs(rate.alarm) <= 1 && rate.alarms >= 0 && rate.alarms <= 9007199254740992.0)) return false;
  return s.chosen >= 0 && s.chosen < static_cast<double>(kGains);
}

}  // namespace rpsd
