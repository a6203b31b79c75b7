// SPDX-License-Identifier: MIT
#include "rpsd/fir.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"

namespace rpsd {
namespace {

template <class T>
std::vector<T> narrowed(const std::vector<double>& taps) {
  if (taps.empty()) throw std::invalid_argument("taps must have at least one value, got none");
  std::vector<T> out;
  for (const double v : taps) {
    if (!std::isfinite(v)) throw std::invalid_argument("taps must be finite, got " + std::to_string(v));
    out.push_back(static_cast<T>(v));
  }
  return out;
}

// The 2T - 1 taps of a filter run forward and then backward: its autocorrelation.
template <class T>
std::vector<T> autocorrelation(const std::vector<double>& taps) {
  const std::size_t n = taps.size();
  std::vector<double> padded(2 * n - 1), lags(n);
  std::copy(taps.begin(), taps.end(), padded.begin());
  active_table<double>().fir(padded.data(), n, taps.data(), n, lags.data());
  std::vector<T> out(2 * n - 1);
  for (std::size_t lag = 0; lag < n; ++lag) out[n - 1 + lag] = out[n - 1 - lag] = static_cast<T>(lags[lag]);
  return out;
}

// Odd reflection about both ends: 2 x[0] - x[k] before the start, 2 x[n-1] - x[n-1-k] after the end; pad <= n - 1.
template <class T>
void extend_odd(const T* x, std::size_t n, std::size_t pad, T* out) {
  for (std::size_t k = 1; k <= pad; ++k) {
    out[pad - k] = 2 * x[0] - x[k];
    out[pad + n - 1 + k] = 2 * x[n - 1] - x[n - 1 - k];
  }
  std::copy(x, x + n, out + pad);
}

}  // namespace

template <class T>
Fir<T>::Fir(const std::vector<double>& taps, FirMode mode)
    : mode_(mode), taps_(narrowed<T>(taps)), reversed_(taps_.rbegin(), taps_.rend()) {
  if (mode == FirMode::zero_phase) squared_ = autocorrelation<T>(taps);
}

template <class T>
void Fir<T>::operator()(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t reach = taps_.size() - 1;
  if (mode_ == FirMode::zero_phase) {
    // With at least `reach` samples of extension the steady states outside touch no output, and the two passes are
    // one symmetric filter.
    if (n <= reach) return zero_phase_short(x, n, y, scratch);
    T* padded = scratch.padded.get(n + 2 * reach);
    extend_odd(x, n, reach, padded);
    kernel.fir(padded, n, squared_.data(), squared_.size(), y);
    return;
  }
  const std::size_t after = mode_ == FirMode::same ? reach / 2 : 0;
  T* padded = scratch.padded.get(n + reach);
  std::fill(padded, padded + (reach - after), T(0));
  std::copy(x, x + n, padded + (reach - after));
  std::fill(padded + (reach - after) + n, padded + reach + n, T(0));
  kernel.fir(padded, n, reversed_.data(), reversed_.size(), y);
}

// No more samples than taps: both passes in full, each starting from the steady state of its first value.
template <class T>
void Fir<T>::zero_phase_short(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const {
  if (n == 0) return;
  const auto& kernel = active_table<T>();
  const std::size_t reach = taps_.size() - 1, pad = n - 1, length = n + 2 * pad;
  T* padded = scratch.padded.get(length + reach);
  extend_odd(x, n, pad, padded + reach);
  std::fill(padded, padded + reach, padded[reach]);
  T* forward = scratch.forward.get(length + reach);
  kernel.fir(padded, length, reversed_.data(), reversed_.size(), forward);
  std::fill(forward + length, forward + length + reach, forward[length - 1]);
  kernel.fir(forward + pad, n, taps_.data(), taps_.size(), y);
}

template <class T>
void fir_filter(const Fir<T>& filter, Batch<const T> x, Batch<T> y, int threads) {
  active_kernels();
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    thread_local FirScratch<T> scratch;
    for (std::size_t r = begin; r < end; ++r) filter(x.row(r), x.length, y.row(r), scratch);
  });
}

template class Fir<double>;
template class Fir<float>;
template void fir_filter<double>(const Fir<double>&, Batch<const double>, Batch<double>, int);
template void fir_filter<float>(const Fir<float>&, Batch<const float>, Batch<float>, int);

}  // namespace rpsd
