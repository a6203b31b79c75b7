// SPDX-License-Identifier: MIT
#include "rpsd/causal_price.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::CausalState;
using kernels::kBundle;

static_assert(std::is_standard_layout_v<CausalState> && std::is_trivially_copyable_v<CausalState> &&
                  sizeof(CausalState) % sizeof(double) == 0 && alignof(CausalState) == alignof(double),
              "a state is a block of doubles");

constexpr std::size_t kHead = sizeof(CausalState) / sizeof(double);
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Chains with bad samples are unlikely at first, or likely: nats.
constexpr double kSpikesUnexpected = -2, kSpikesExpected = 4;
// The gate opens from 0.6 to 1.6 times the least gain.
constexpr double kOpensFrom = 0.6, kLeastWidth = 1e-9;

std::size_t lag_values(bool automatic, std::size_t lookahead) noexcept {
  const std::size_t values = lookahead * (automatic ? kernels::kChains : 1);
  return (values + kBundle - 1) / kBundle * kBundle;
}

const CausalState& head(const double* state) noexcept { return *reinterpret_cast<const CausalState*>(state); }
CausalState& head(double* state) noexcept { return *reinterpret_cast<CausalState*>(state); }

struct CausalMemory {
  Buffer<double> state;
};

}  // namespace

CausalModel::CausalModel(const CausalOptions& options)
    : automatic_(options.method == PriceMethod::automatic), lookahead_(options.lookahead), settings_() {
  if (options.lookahead > kMostLookahead)
    throw std::invalid_argument("lookahead must be at most " + std::to_string(kMostLookahead) + ", got " +
                                std::to_string(options.lookahead));
  if (!(options.min_gain_db >= 0) || std::isinf(options.min_gain_db))
    throw std::invalid_argument("min_gain_db must be a finite number of at least 0, got " + std::to_string(options.min_gain_db));
  settings_.bad_sample_evidence = options.clean_spikes ? kSpikesExpected : kSpikesUnexpected;
  settings_.least_gain = kOpensFrom * options.min_gain_db;
  settings_.gain_slope = 1 / std::max(options.min_gain_db, kLeastWidth);
}

std::size_t CausalModel::state_size() const noexcept { return kHead + lookahead_ + 2 * lag_values(automatic_, lookahead_); }

kernels::CausalLags CausalModel::lags(double* state) const noexcept {
  double *const prices = state + kHead, *const means = prices + lookahead_;
  return {lookahead_, prices, means, means + lag_values(automatic_, lookahead_)};
}

void CausalModel::start(double* state) const noexcept {
  std::fill(state, state + state_size(), 0.0);
  std::fill(state + kHead, state + kHead + lookahead_, kNaN);
  CausalState& s = head(state);
  for (std::size_t i = 0; i < kernels::kFilters; ++i) {
    s.variance[i] = s.block_mantissa[i] = 1;
    s.weight[i] = s.recent_weight[i] = 1.0 / kernels::kFilters;
  }
  s.block_decay = s.feedback = 1;
  s.last_price = kNaN;
  s.reset_time = -1e9;
}

void CausalModel::push(double* state, const double* x, std::size_t n, double* y) const {
  const auto& kernel = active_kernels().causal;
  (automatic_ ? kernel.automatic : kernel.kalman)(settings_, head(state), lags(state), x, n, y);
}

// A missing sample changes no estimate, and pushes the oldest out of the lag.
void CausalModel::flush(const double* state, double* scratch, double* y) const {
  std::copy(state, state + state_size(), scratch);
  std::fill(y, y + lookahead_, kNaN);
  push(scratch, y, lookahead_, y);
}

CausalReport CausalModel::report(const double* state) const noexcept {
  const CausalState& s = head(state);
  const bool moved = s.unit > 0;
  return {moved ? std::sqrt(s.noise_variance) * s.unit : kNaN,
          moved ? std::sqrt(s.step_variance) * s.unit : kNaN,
          moved ? s.gain_db : kNaN,
          s.gate,
          static_cast<std::size_t>(s.resets),
          static_cast<std::size_t>(s.seen)};
}

bool CausalModel::is_state(const double* state) const noexcept {
  const CausalState& s = head(state);
  return s.slot >= 0 && s.slot < static_cast<double>(std::max<std::size_t>(lookahead_, 1)) && s.seen >= 0 && s.seen < 0x1p53;
}

void causal_price(const CausalModel& model, Batch<const double> x, Batch<double> y, CausalReport* reports, int threads) {
  const std::size_t n = x.length, k = model.lookahead();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    double* const state = of_this_thread<CausalMemory>().state.get(model.state_size());
    for (std::size_t row = begin; row < end; ++row) {
      const double* const from = x.row(row);
      double* const to = y.row(row);
      model.start(state);
      // The first samples' outputs are estimates of none.
      double unused[kMostLookahead];
      const std::size_t early = std::min(k, n);
      model.push(state, from, early, unused);
      model.push(state, from + early, n - early, to);
      std::fill(to + (n - early), to + n, kNaN);
      for (std::size_t t = 0; t < n; ++t)
        if (std::isnan(from[t])) to[t] = kNaN;
      if (reports != nullptr) reports[row] = model.report(state);
    }
  });
}

}  // namespace rpsd
