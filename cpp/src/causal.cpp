// SPDX-License-Identifier: MIT
#include "rpsd/causal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "denoise_parts.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "spike_guard.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kPiece = 512, kRowsAtOnce = 32;  // samples and series that are worked on at a time

struct Scratch {
  Buffer<double> state, flushed, values, estimates;
};

CausalOptions causal_options(const Options& options, std::size_t lookahead) {
  const auto method = options.method == Method::automatic ? PriceMethod::automatic : PriceMethod::kalman;
  return {method, lookahead, options.outliers == Outliers::spike, options.min_gain_db};
}

double lagged_gain_db(double r, std::size_t lag) noexcept { return r > 0 ? -10 * std::log10(lagged_error(r, lag)) : 0; }

}  // namespace

// It falls from the gain to 1 / sqrt(1 + 4 r) with the square of (1 - gain)^lag (Anderson & Moore 1979, chapter 7).
double lagged_error(double r, std::size_t lag) noexcept {
  const double root = std::sqrt(1 + 4 * r), gain = (root - 1) / (2 * r), smoothed = 1 / root;
  return smoothed + (gain - smoothed) * std::pow(1 - gain, 2 * static_cast<double>(lag));
}

template <class T>
Causal<T>::Causal(const Options& options, std::size_t lookahead)
    : options_(options), model_(causal_options(options, lookahead)) {}

template <class T>
void Causal<T>::check(const T* x, std::size_t n, std::size_t row, std::size_t rows, std::size_t offset) const {
  check_samples(options_, x, n, {row, rows, offset});
  // With outliers="spike" a price <= 0 is missing to the model, however many there are: their share is not known yet.
  if (options_.space == Space::log && options_.outliers == Outliers::none)
    check_logarithms(options_, x, n, {row, rows, offset});
}

template <class T>
double Causal<T>::modelled(T x) const noexcept {
  if (options_.space == Space::price) return static_cast<double>(x);
  return x > 0 ? std::log(static_cast<double>(x)) : kNaN;
}

template <class T>
double Causal<T>::guarded(T x, SpikeGuard& guard) const noexcept {
  const double value = modelled(x);
  return options_.outliers == Outliers::spike ? guard.pass(value) : value;
}

template <class T>
double* Causal<T>::guard_of(double* state) const noexcept {
  return state + model_.state_size() + 2 * model_.lookahead() + 1;
}

// A sample that was not touched stays as it is, whatever its logarithm would round.
template <class T>
T Causal<T>::given_back(double estimate, T x) const noexcept {
  if (std::isnan(x) || std::isnan(estimate)) return std::numeric_limits<T>::quiet_NaN();
  if (estimate == modelled(x)) return x;
  constexpr double most = std::numeric_limits<T>::max();
  const double value = options_.space == Space::price ? estimate : std::exp(estimate);
  return static_cast<T>(std::clamp(value, -most, most));
}

// Rows first .. first + rows of the batch.
template <class T>
void Causal<T>::run(Batch<const T> x, Batch<T> y, std::size_t first, std::size_t rows, WindowedReport* reports,
                    const std::vector<std::size_t>& starts) const {
  auto& scratch = of_this_thread<Scratch>();
  const std::size_t k = model_.lookahead(), size = model_.state_size(), n = x.length;
  double *const memory = scratch.state.get((rows + 1) * size), *const flushed = scratch.flushed.get(k);
  double *const values = scratch.values.get(rows * kPiece), *const estimates = scratch.estimates.get(rows * kPiece);
  double *states[kRowsAtOnce], *out[kRowsAtOnce];
  const double* in[kRowsAtOnce];
  for (std::size_t r = 0; r < rows; ++r) {
    states[r] = memory + r * size;
    in[r] = values + r * kPiece;
    out[r] = estimates + r * kPiece;
  }
  CausalReport found[kRowsAtOnce];
  std::fill(found, found + rows, CausalReport{kNaN, kNaN, kNaN, 0, 0, 0});
  for (std::size_t s = 0; s <= starts.size() && n > 0; ++s) {
    const std::size_t begin = s == 0 ? 0 : starts[s - 1], end = s == starts.size() ? n : starts[s];
    SpikeGuard guards[kRowsAtOnce];
    for (std::size_t r = 0; r < rows; ++r) model_.start(states[r]);
    for (std::size_t piece = begin; piece < end; piece += kPiece) {
      const std::size_t m = std::min(kPiece, end - piece);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < m; ++i) values[r * kPiece + i] = guarded(x.row(first + r)[piece + i], guards[r]);
      model_.push_rows(states, in, rows, m, out);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t t = std::max(piece, begin + k); t < piece + m; ++t)
          y.row(first + r)[t - k] = given_back(out[r][t - piece], x.row(first + r)[t - k]);
    }
    const std::size_t late = std::min(k, end - begin);
    for (std::size_t r = 0; r < rows; ++r) {
      model_.flush(states[r], memory + rows * size, flushed);
      for (std::size_t i = 0; i < late; ++i)
        y.row(first + r)[end - late + i] = given_back(flushed[k - late + i], x.row(first + r)[end - late + i]);
      found[r] = model_.report(states[r]);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) reports[first + r] = finish(x.row(first + r), n, y.row(first + r), found[r]);
}

// Takes back what the last samples would need later ones for, and reports.
template <class T>
WindowedReport Causal<T>::finish(const T* x, std::size_t n, T* y, const CausalReport& found) const {
  const std::size_t k = model_.lookahead();
  WindowedReport report = {};
  for (std::size_t t = 0; t < n; ++t) {
    const bool missing = std::isnan(x[t]), early = t + k < n;
    if (!early) y[t] = std::numeric_limits<T>::quiet_NaN();
    report.series.missing += missing;
    report.warmup += !missing && !early;
    report.series.changed |= !missing && early && y[t] != x[t];
  }
  PriceReport& price = report.series.price;
  price.noise_sd = report.series.noise_sd = found.noise_sd;
  price.step_sd = found.step_sd;
  const double ratio = found.noise_sd / found.step_sd, r = ratio * ratio;
  price.gain_db = found.gate > 0 ? lagged_gain_db(r, k) : 0;
  price.causal_gain_db = found.gate > 0 ? lagged_gain_db(r, 0) : 0;
  price.action = report.series.changed ? PriceAction::denoised : PriceAction::passthrough;
  return report;
}

template <class T>
void Causal<T>::operator()(Batch<const T> x, Batch<T> y, WindowedReport* reports, int threads,
                           const std::vector<std::size_t>& starts) const {
  active_kernels();
  // Everything is checked before anything is written.
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) check(x.row(row), x.length, row, x.rows, 0);
  });
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; row += kRowsAtOnce)
      run(x, y, row, std::min(kRowsAtOnce, end - row), reports, starts);
  });
}

// The state of the model; the last `lookahead` samples as they came; the values of those among them whose session has
// ended; the place of both that is filled next, where the oldest lies; and what tells bad ticks.
template <class T>
void Causal<T>::start(double* state) const noexcept {
  model_.start(state);
  double* const samples = state + model_.state_size();
  std::fill(samples, samples + 2 * model_.lookahead(), kNaN);
  samples[2 * model_.lookahead()] = 0;
  SpikeGuard().store(guard_of(state));
}

template <class T>
void Causal<T>::begin_session(double* state, double* scratch) const {
  const std::size_t k = model_.lookahead(), late = std::min(k, model_.report(state).seen);
  double *const samples = state + model_.state_size(), *const ended = samples + k, *const flushed = scratch + model_.state_size();
  const auto place = static_cast<std::size_t>(samples[2 * k]);
  model_.flush(state, scratch, flushed);
  for (std::size_t i = k - late; i < k; ++i) {
    const std::size_t at = place + i < k ? place + i : place + i - k;
    ended[at] = static_cast<double>(given_back(flushed[i], static_cast<T>(samples[at])));
  }
  model_.start(state);
  SpikeGuard().store(guard_of(state));
}

template <class T>
void Causal<T>::push(double* state, const T* x, std::size_t n, T* y) const {
  active_kernels();
  double values[kPiece], estimates[kPiece];
  for (std::size_t done = 0; done < n; done += kPiece) {
    const std::size_t m = std::min(kPiece, n - done), seen = model_.report(state).seen;
    SpikeGuard guard = SpikeGuard::load(guard_of(state));
    for (std::size_t i = 0; i < m; ++i) values[i] = guarded(x[done + i], guard);
    guard.store(guard_of(state));
    model_.push(state, values, m, estimates);
    give(state, seen, x + done, m, estimates, y + done);
  }
}

// The values of samples that lie `lookahead` before x[0..n), `seen` samples into the session.
template <class T>
void Causal<T>::give(double* state, std::size_t seen, const T* x, std::size_t n, const double* estimates, T* y) const {
  const std::size_t k = model_.lookahead();
  double *const samples = state + model_.state_size(), *const ended = samples + k;
  double& place = samples[2 * k];
  for (std::size_t i = 0; i < n; ++i) {
    const T sample = x[i];
    if (k == 0) {
      y[i] = given_back(estimates[i], sample);
      continue;
    }
    const auto at = static_cast<std::size_t>(place);
    place = at + 1 < k ? static_cast<double>(at + 1) : 0;
    y[i] = seen + i < k ? static_cast<T>(ended[at]) : given_back(estimates[i], static_cast<T>(samples[at]));
    samples[at] = static_cast<double>(sample);
  }
}

template <class T>
void Causal<T>::flush(const double* state, double* scratch, T* y) const {
  const std::size_t k = model_.lookahead(), earlier = k - std::min(k, model_.report(state).seen);
  const double *const samples = state + model_.state_size(), *const ended = samples + k;
  double* const flushed = scratch + model_.state_size();
  const auto place = static_cast<std::size_t>(samples[2 * k]);
  model_.flush(state, scratch, flushed);
  for (std::size_t i = 0; i < k; ++i) {
    const std::size_t at = place + i < k ? place + i : place + i - k;
    y[i] = i < earlier ? static_cast<T>(ended[at]) : given_back(flushed[i], static_cast<T>(samples[at]));
  }
}

template <class T>
std::size_t Causal<T>::state_size() const noexcept {
  return model_.state_size() + 2 * model_.lookahead() + 1 + SpikeGuard::kSize;
}

template <class T>
bool Causal<T>::is_state(const double* state) const noexcept {
  const std::size_t k = model_.lookahead();
  const double place = state[model_.state_size() + 2 * k];
  return place >= 0 && place < static_cast<double>(std::max<std::size_t>(k, 1)) && model_.is_state(state);
}

template class Causal<double>;
template class Causal<float>;

}  // namespace rpsd
