// SPDX-License-Identifier: MIT
#include "rpsd/causal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "denoise_parts.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kPiece = 512;  // samples of a stream that are worked on at a time

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

// A sample that was not touched stays as it is, whatever its logarithm would round.
template <class T>
T Causal<T>::given_back(double estimate, T x) const noexcept {
  if (std::isnan(x) || std::isnan(estimate)) return std::numeric_limits<T>::quiet_NaN();
  if (estimate == modelled(x)) return x;
  constexpr double most = std::numeric_limits<T>::max();
  const double value = options_.space == Space::price ? estimate : std::exp(estimate);
  return static_cast<T>(std::clamp(value, -most, most));
}

template <class T>
void Causal<T>::run(const T* x, std::size_t n, T* y, WindowedReport& report,
                    const std::vector<std::size_t>& starts) const {
  auto& scratch = of_this_thread<Scratch>();
  const std::size_t k = model_.lookahead(), size = model_.state_size();
  double *const state = scratch.state.get(2 * size), *const flushed = scratch.flushed.get(k);
  double *const values = scratch.values.get(n), *const estimates = scratch.estimates.get(n);
  for (std::size_t t = 0; t < n; ++t) values[t] = modelled(x[t]);
  report = {};
  report.series.noise_sd = kNaN;
  CausalReport found{kNaN, kNaN, kNaN, 0, 0, 0};
  for (std::size_t s = 0; s <= starts.size() && n > 0; ++s) {
    const std::size_t begin = s == 0 ? 0 : starts[s - 1], end = s == starts.size() ? n : starts[s], m = end - begin;
    model_.start(state);
    model_.push(state, values + begin, m, estimates);
    const std::size_t late = std::min(k, m);
    for (std::size_t t = begin; t + late < end; ++t) y[t] = given_back(estimates[t - begin + k], x[t]);
    model_.flush(state, state + size, flushed);
    for (std::size_t i = 0; i < late; ++i) y[end - late + i] = given_back(flushed[k - late + i], x[end - late + i]);
    found = model_.report(state);
  }
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
    for (std::size_t row = begin; row < end; ++row) run(x.row(row), x.length, y.row(row), reports[row], starts);
  });
}

// The state of the model; the last `lookahead` samples as they came; the values of those among them whose session has
// ended; and the place of both that is filled next, where the oldest lies.
template <class T>
void Causal<T>::start(double* state) const noexcept {
  model_.start(state);
  double* const samples = state + model_.state_size();
  std::fill(samples, samples + 2 * model_.lookahead(), kNaN);
  samples[2 * model_.lookahead()] = 0;
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
}

template <class T>
void Causal<T>::push(double* state, const T* x, std::size_t n, T* y) const {
  active_kernels();
  const std::size_t k = model_.lookahead();
  double *const samples = state + model_.state_size(), *const ended = samples + k;
  double& place = samples[2 * k];
  double values[kPiece], estimates[kPiece];
  for (std::size_t done = 0; done < n; done += kPiece) {
    const std::size_t m = std::min(kPiece, n - done), seen = model_.report(state).seen;
    for (std::size_t i = 0; i < m; ++i) values[i] = modelled(x[done + i]);
    model_.push(state, values, m, estimates);
    for (std::size_t i = 0; i < m; ++i) {
      T sample = x[done + i];
      if (k == 0) {
        y[done + i] = given_back(estimates[i], sample);
        continue;
      }
      const auto at = static_cast<std::size_t>(place);
      place = at + 1 < k ? static_cast<double>(at + 1) : 0;
      const double next = static_cast<double>(sample);
      y[done + i] = seen + i < k ? static_cast<T>(ended[at]) : given_back(estimates[i], static_cast<T>(samples[at]));
      samples[at] = next;
    }
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
bool Causal<T>::is_state(const double* state) const noexcept {
  const std::size_t k = model_.lookahead();
  const double place = state[model_.state_size() + 2 * k];
  return place >= 0 && place < static_cast<double>(std::max<std::size_t>(k, 1)) && model_.is_state(state);
}

template class Causal<double>;
template class Causal<float>;

}  // namespace rpsd
