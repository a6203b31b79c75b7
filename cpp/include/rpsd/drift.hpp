// SPDX-License-Identifier: MIT
// Whether a series that is still coming is what it was when its stream began: cumulative sums over four rates, with a
// stated length of run between false alarms, and how the output lies to the input.
#pragma once

#include <array>
#include <cstddef>

namespace rpsd {

// What is watched, of samples that are there unless said otherwise; docs/decisions/0012-drift.md.
enum class Drift {
  scale,    // how often a move exceeds the median of the reference
  noise,    // how often an innovation, by the gain that fitted the reference, goes against those before
  missing,  // how many samples are missing
  stale,    // how many samples equal the one before
};
constexpr std::size_t kDrifts = 4;
constexpr std::array<const char*, kDrifts> kDriftNames{"scale", "noise", "missing", "stale"};

struct DriftOptions {
  std::size_t reference = 512;  // samples that a rate is learnt from; four times as many for noise
  double run_length = 1e5;      // in-control average run length: samples before a false alarm of any kind, on average
};

struct DriftRate {
  double reference;      // NaN while it is learnt
  double recent;         // with a memory of 256 samples; while it is learnt that so far, NaN for scale and noise
  int alarm;             // standing: 1 the rate rose, -1 it fell, 0 none
  std::size_t alarms;    // raised so far
};

struct DriftReport {
  std::array<DriftRate, kDrifts> rates;
  double residual;  // mean absolute difference of sample and estimate, with a memory of 256 samples; NaN where there was none
  double lag;       // samples that the estimates lag behind their own ones, likewise; NaN before they moved
};

// All there is to know of a series lies in one block of state_size() doubles: a copy is a snapshot. A monitor is immutable;
// any number of threads may use it, each on states of its own. The bits of a state do not depend on processor or system.
class DriftMonitor {
 public:
  // Throws std::invalid_argument where an option is out of range.
  explicit DriftMonitor(const DriftOptions& options);

  static std::size_t state_size() noexcept;

  // Makes the state of a series without samples.
  void start(double* state) const noexcept;

  // The next sample x, and an estimate y of `sample`, which is x or one before it; NaN where there is none. What is below
  // -1e150 or above 1e150 counts as missing. Allocates nothing.
  void push(double* state, double x, double sample, double y) const noexcept;

  // Takes the series as it is from now on for what it should be: no alarm stands, and every reference is learnt anew.
  void acknowledge(double* state) const noexcept;

  // The alarms that stand: bit i of Drift i.
  unsigned standing(const double* state) const noexcept;

  DriftReport report(const double* state) const noexcept;

  // Whether doubles from elsewhere can be a state: what counts places does.
  bool is_state(const double* state) const noexcept;

 private:
  double reference_;
  double threshold_;  // nats
};

}  // namespace rpsd
