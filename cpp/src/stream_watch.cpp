// SPDX-License-Identifier: MIT
#include "stream_watch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/causal.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Of a Gaussian: E|z|.
constexpr double kMeanAbsolute = 0.7978845608028654;

constexpr unsigned bit(Drift drift) noexcept { return 1u << static_cast<unsigned>(drift); }
// Denoisers follow the scale, which moves every day.
constexpr unsigned kBreaches = bit(Drift::noise) | bit(Drift::missing) | bit(Drift::stale);

double modelled(double x, Space space) noexcept { return space == Space::price ? x : x > 0 ? std::log(x) : kNaN; }

}  // namespace

StreamWatch::StreamWatch(Space space, OnBreach on_breach, std::size_t lookahead, std::size_t series)
    : monitor_(DriftOptions{}), space_(space), on_breach_(on_breach), lookahead_(lookahead),
      size_(DriftMonitor::state_size() + lookahead + 2), blocks_(2 * series * size_), second_(series) {
  for (std::size_t i = 0; i < 2 * series; ++i) {
    double* const state = blocks_.data() + i * size_;
    monitor_.start(state);
    std::fill(state + DriftMonitor::state_size(), state + size_, kNaN);
    state[size_ - 2] = 0;
  }
}

void StreamWatch::mark(std::size_t row) {
  std::copy_n(block(row, second_[row]), size_, block(row, !second_[row]));
  swap(row);
}

unsigned StreamWatch::breaches(std::size_t row) const noexcept { return monitor_.standing(block(row, second_[row])) & kBreaches; }

void StreamWatch::push(std::size_t row, const double* x, std::size_t n, double* y) noexcept {
  double *const state = block(row, second_[row]), *const samples = state + DriftMonitor::state_size();
  double &place = state[size_ - 2], &held = state[size_ - 1];
  for (std::size_t i = 0; i < n; ++i) {
    double sample = x[i];
    if (lookahead_ > 0) {
      const auto at = static_cast<std::size_t>(place);
      std::swap(sample, samples[at]);
      place = at + 1 < lookahead_ ? static_cast<double>(at + 1) : 0;
    }
    monitor_.push(state, modelled(x[i], space_), modelled(sample, space_), modelled(y[i], space_));
    if (std::isnan(y[i])) continue;
    if (breaches(row) == 0)
      held = y[i];
    else if (on_breach_ == OnBreach::raw)
      y[i] = sample;
    else if (on_breach_ == OnBreach::hold)
      y[i] = held;
  }
}

void StreamWatch::report(std::size_t row, StreamReport& report) const noexcept {
  const double* const state = block(row, second_[row]);
  const DriftReport found = monitor_.report(state);
  const double ratio = report.noise_sd / report.step_sd;
  // A sample differs from the best estimate by its noise less the error: the two are not correlated.
  const double left = lagged_error(ratio * ratio, lookahead_);
  report.noise_ratio = found.residual / (kMeanAbsolute * report.gate * report.noise_sd * std::sqrt(1 - left));
  if (!std::isfinite(report.noise_ratio)) report.noise_ratio = kNaN;
  report.missing_rate = found.rates[static_cast<std::size_t>(Drift::missing)].recent;
  report.lag = found.lag;
  report.alarms = monitor_.standing(state);
}

void StreamWatch::save(std::size_t row, StateWriter& to) const {
  for (const bool second : {second_[row] != 0, second_[row] == 0})
    for (std::size_t i = 0; i < size_; ++i) to.put(block(row, second)[i]);
}

void StreamWatch::load(std::size_t row, StateReader& from) {
  for (const bool second : {false, true}) {
    double* const state = block(row, second);
    for (std::size_t i = 0; i < size_; ++i) state[i] = from.number();
    const double place = state[size_ - 2];
    StateReader::require(place >= 0 && place < static_cast<double>(std::max<std::size_t>(lookahead_, 1)));
    StateReader::require(monitor_.is_state(state));
  }
  second_[row] = 0;
}

}  // namespace rpsd
