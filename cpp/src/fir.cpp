// SPDX-License-Identifier: MIT
#include "rpsd/fir.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::kFirSegment;

// Below it the sums themselves are as fast as transforms or nearly so, keep their rounding local and need no set-up
// (docs/decisions/0005-fir.md).
constexpr std::size_t kTransformTaps = 64;
// A transform costs as much as this many taps on as many samples as it has.
constexpr std::size_t kTransformCost = 128;
// Sum of squares up to which no sum of a transform leaves the range of numbers.
template <class T>
constexpr double kTransformEnergy = sizeof(T) == 8 ? 1e300 : 1e60;
// Taps that single precision sums in one go.
constexpr std::size_t kSingleTaps = 128;
// Fewer coefficients than these are not worth folding.
constexpr std::size_t kSymmetricTaps = 16;
// Outputs between which sums may be cut; a multiple of every instruction set's block.
constexpr std::size_t kDirectUnit = 4096;
// Between the real and the imaginary parts, which would otherwise meet in the same sets of the cache.
constexpr std::size_t kApart = 16;

template <class T>
std::vector<T> narrowed(const std::vector<double>& taps) {
  if (taps.empty()) throw std::invalid_argument("taps must have at least one value, got none");
  std::vector<T> out;
  out.reserve(taps.size());
  for (const double v : taps) {
    out.push_back(static_cast<T>(v));
    if (!std::isfinite(out.back()))
      throw std::invalid_argument("taps must be finite in the precision of x, got " + std::to_string(v));
  }
  return out;
}

template <class T>
T* direct_scratch(Buffer<T>& work, std::size_t n_taps) {
  return work.get((2 * kFirSegment + n_taps) * (64 / sizeof(T)));
}

// The 2T - 1 taps of a filter run forward and then backward: its autocorrelation.
template <class T>
std::vector<T> autocorrelation(const std::vector<double>& taps) {
  const std::size_t n = taps.size();
  std::vector<double> padded(2 * n - 1), lags(n);
  std::copy(taps.begin(), taps.end(), padded.begin());
  Buffer<double> work;
  active_table<double>().fir(padded.data(), n, taps.data(), n, lags.data(), direct_scratch(work, n));
  std::vector<T> out(2 * n - 1);
  for (std::size_t lag = 0; lag < n; ++lag) out[n - 1 + lag] = out[n - 1 - lag] = static_cast<T>(lags[lag]);
  return out;
}

// Coefficient k meets sample i + k of the extended series.
template <class T>
std::vector<T> coefficients_of(const std::vector<double>& taps, FirMode mode) {
  std::vector<T> coefficients = narrowed<T>(taps);
  if (mode == FirMode::zero_phase) return autocorrelation<T>(taps);
  std::reverse(coefficients.begin(), coefficients.end());
  return coefficients;
}

// A power of four, which takes the fewest passes; at least two thirds of each transform are new samples.
std::size_t transform_size(std::size_t n_taps) {
  std::size_t size = 1024;
  while (size < 3 * n_taps) size *= 4;
  return size;
}

// One transform of each size for the whole process: its roots take longer than a call on a few thousand samples.
template <class T>
const ConvolutionFft<T>& shared_transform(std::size_t size) {
  constexpr std::size_t kBits = 64;
  static std::array<std::once_flag, kBits> made;
  static std::array<std::unique_ptr<const ConvolutionFft<T>>, kBits> transforms;
  std::size_t bits = 0;
  while (size >> bits > 1) ++bits;
  std::call_once(made[bits], [&] { transforms[bits] = std::make_unique<const ConvolutionFft<T>>(size); });
  return *transforms[bits];
}

}  // namespace

template <class T>
Correlation<T>::Correlation(std::vector<T> coefficients, bool look_ahead)
    : coefficients_(std::move(coefficients)),
      symmetric_(coefficients_.size() >= kSymmetricTaps &&
                 std::equal(coefficients_.begin(), coefficients_.end(), coefficients_.rbegin())),
      size_(look_ahead && coefficients_.size() >= kTransformTaps ? transform_size(coefficients_.size()) : 0),
      spectrum_(std::make_unique<Spectrum>()) {}

// Not for series so short that a transform would cost more than the sums.
template <class T>
bool Correlation<T>::transforms(std::size_t n) const noexcept {
  return size_ > 0 && n / kTransformCost >= size_ / coefficients_.size();
}

template <class T>
std::size_t Correlation<T>::unit(std::size_t n) const noexcept {
  return transforms(n) ? 2 * (size_ - coefficients_.size() + 1) : kDirectUnit;
}

// Whether a transform serves w[0..m): it would spread a NaN or an infinity, its own overflow included, over the whole
// block, and the rounding of a spike that outweighs all else in it.
template <class T>
bool Correlation<T>::is_even(const T* w, std::size_t m) const noexcept {
  constexpr std::size_t kShares = 16;
  const auto& kernel = active_table<T>();
  double total = 0, largest = 0;
  for (std::size_t k = 0; k < kShares; ++k) {
    const std::size_t begin = m * k / kShares, end = m * (k + 1) / kShares;
    const double energy = kernel.sum_squares(w + begin, end - begin);
    largest = std::max(largest, energy);
    total += energy;
  }
  return total < kTransformEnergy<T> && (largest <= total / 2 || total == 0);
}

template <class T>
void Correlation<T>::operator()(const T* w, std::size_t m, std::size_t n, T* y, Buffer<T>& work) const {
  const std::size_t n_taps = coefficients_.size();
  if (transforms(n) && is_even(w, m + n_taps - 1)) return by_transforms(w, m, y, work);
  const auto& kernel = active_table<T>();
  if (sizeof(T) == 8 || n_taps <= kSingleTaps) {
    const auto sums = symmetric_ ? kernel.fir_symmetric : kernel.fir;
    return sums(w, m, coefficients_.data(), n_taps, y, direct_scratch(work, n_taps));
  }
  // Single precision loses too much in one long sum: sums over some taps each, added in order.
  T* const scratch = work.get((2 * kFirSegment + kSingleTaps) * (64 / sizeof(T)) + m);
  T* const part = scratch + (2 * kFirSegment + kSingleTaps) * (64 / sizeof(T));
  for (std::size_t k = 0; k < n_taps; k += kSingleTaps) {
    const std::size_t count = std::min(kSingleTaps, n_taps - k);
    kernel.fir(w + k, m, coefficients_.data() + k, count, k == 0 ? y : part, scratch);
    if (k > 0)
      for (std::size_t i = 0; i < m; ++i) y[i] += part[i];
  }
}

template <class T>
auto Correlation<T>::spectrum() const -> const Spectrum& {
  std::call_once(spectrum_->made, [this] {
    auto& made = *spectrum_;
    made.fft = &shared_transform<T>(size_);
    made.re.assign(size_, T(0));
    made.im.assign(size_, T(0));
    // Divided by the size, a power of two, on behalf of the unscaled way back.
    for (std::size_t k = 0; k < coefficients_.size(); ++k)
      made.re[k] = coefficients_[coefficients_.size() - 1 - k] / static_cast<T>(size_);
    made.fft->forward(made.re.data(), made.im.data());
  });
  return *spectrum_;
}

// Stockham (1966). The first coefficients - 1 values of each circular convolution have wrapped around.
template <class T>
void Correlation<T>::by_transforms(const T* w, std::size_t m, T* y, Buffer<T>& work) const {
  const Spectrum& spectrum = this->spectrum();
  const std::size_t reach = coefficients_.size() - 1, hop = size_ - reach;
  const std::size_t first = std::min(m, hop), second = m - first;
  T *const re = work.get(2 * size_ + kApart), *const im = re + size_ + kApart;
  std::copy(w, w + first + reach, re);
  std::fill(re + first + reach, re + size_, T(0));
  const std::size_t filled = second > 0 ? second + reach : 0;
  std::copy(w + hop, w + hop + filled, im);
  std::fill(im + filled, im + size_, T(0));
  spectrum.fft->forward(re, im);
  spectrum.fft->multiply(re, im, spectrum.re.data(), spectrum.im.data());
  spectrum.fft->inverse(re, im);
  std::copy(re + reach, re + reach + first, y);
  std::copy(im + reach, im + reach + second, y + hop);
}

template <class T>
Fir<T>::Fir(const std::vector<double>& taps, FirMode mode)
    : mode_(mode),
      taps_(taps),
      reversed_(taps.rbegin(), taps.rend()),
      before_(taps_.size() - 1 - (mode == FirMode::same ? (taps_.size() - 1) / 2 : 0)),
      after_(mode == FirMode::causal ? 0 : mode == FirMode::same ? (taps_.size() - 1) / 2 : taps_.size() - 1),
      correlation_(coefficients_of<T>(taps, mode), mode != FirMode::causal) {}

// Zero phase needs `before_` samples of odd extension: with fewer, the steady states outside touch outputs; with more,
// they do not, and the two passes are one symmetric filter.
template <class T>
bool Fir<T>::is_short(std::size_t n) const noexcept {
  return mode_ == FirMode::zero_phase && n <= before_;
}

template <class T>
std::size_t Fir<T>::units(std::size_t n) const noexcept {
  if (n == 0 || is_short(n)) return n > 0;
  const std::size_t unit = correlation_.unit(n);
  return (n + unit - 1) / unit;
}

// Odd reflection about both ends for zero phase, 2 x[0] - x[k] before the start and 2 x[n-1] - x[n-1-k] after the end;
// zeros otherwise.
template <class T>
void Fir<T>::extend(const T* x, std::size_t n, T* left, T* right) const {
  if (mode_ != FirMode::zero_phase) {
    std::fill(left, left + before_, T(0));
    std::fill(right, right + after_, T(0));
    return;
  }
  for (std::size_t k = 1; k <= before_; ++k) {
    left[before_ - k] = 2 * x[0] - x[k];
    right[k - 1] = 2 * x[n - 1] - x[n - 1 - k];
  }
}

// Copies samples begin to end - 1 of the extended series, which starts `before_` samples ahead of x.
template <class T>
void Fir<T>::copy_extended(const T* x, std::size_t n, const T* left, const T* right, std::size_t begin, std::size_t end,
                           T* to) const {
  for (; begin < std::min(end, before_); ++begin) *to++ = left[begin];
  const std::size_t inside = std::min(end, before_ + n);
  if (begin < inside) to = std::copy(x + (begin - before_), x + (inside - before_), to);
  for (begin = std::max(begin, inside); begin < end; ++begin) *to++ = right[begin - before_ - n];
}

template <class T>
T Fir<T>::at(const T* x, std::size_t n, std::size_t i, FirScratch<T>& scratch) const {
  if (is_short(n) || correlation_.transforms(n)) {
    T* const y = scratch.whole.get(n);
    (*this)(x, n, y, scratch);
    return y[i];
  }
  const std::size_t reach = before_ + after_;
  T *const left = scratch.ends.get(reach + 1), *const right = left + before_;
  extend(x, n, left, right);
  T* const window = scratch.window.get(reach + 1);
  copy_extended(x, n, left, right, i, i + reach + 1, window);
  T y;
  correlation_(window, 1, n, &y, scratch.work);
  return y;
}

template <class T>
void Fir<T>::operator()(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const {
  run(x, n, y, 0, units(n), scratch);
}

template <class T>
void Fir<T>::run(const T* x, std::size_t n, T* y, std::size_t first, std::size_t last, FirScratch<T>& scratch) const {
  if (first == last) return;
  if (is_short(n)) return zero_phase_short(x, n, y, scratch);
  const std::size_t reach = before_ + after_, unit = correlation_.unit(n);
  T *const left = scratch.ends.get(reach + 1), *const right = left + before_;
  extend(x, n, left, right);
  const auto copy = [&](std::size_t begin, std::size_t end, T* to) { copy_extended(x, n, left, right, begin, end, to); };
  const bool in_place = x == y;
  T* const window = scratch.window.get(unit + reach);
  for (std::size_t u = first; u < last; ++u) {
    check_stop();
    const std::size_t begin = u * unit, m = std::min(unit, n - begin);
    const T* from = window;
    if (in_place && u > first) {
      // What the outputs so far have overwritten is still in the window.
      std::memmove(window, window + unit, reach * sizeof(T));
      copy(begin + reach, begin + reach + m, window + reach);
    } else if (!in_place && begin >= before_ && begin + m + after_ <= n) {
      from = x + (begin - before_);
    } else {
      copy(begin, begin + reach + m, window);
    }
    correlation_(from, m, n, y + begin, scratch.work);
  }
}

// Fewer samples than taps: both passes in full, each starting from the steady state of its first value. In double: sums
// over what hardly moves round one way, and two passes would lose a digit and a half of single precision.
template <class T>
void Fir<T>::zero_phase_short(const T* x, std::size_t n, T* y, FirScratch<T>& scratch) const {
  const auto& kernel = active_table<double>();
  const std::size_t reach = taps_.size() - 1, pad = n - 1, length = n + 2 * pad;
  double* const work = direct_scratch(scratch.sums, taps_.size());
  double* const padded = scratch.padded.get(length + reach);
  double* const inner = padded + reach;
  std::copy(x, x + n, inner + pad);
  for (std::size_t k = 1; k <= pad; ++k) {
    inner[pad - k] = 2 * inner[pad] - inner[pad + k];
    inner[pad + n - 1 + k] = 2 * inner[pad + n - 1] - inner[pad + n - 1 - k];
  }
  std::fill(padded, inner, *inner);
  double* const forward = scratch.forward.get(length + reach);
  kernel.fir(padded, length, reversed_.data(), reversed_.size(), forward, work);
  std::fill(forward + length, forward + length + reach, forward[length - 1]);
  kernel.fir(forward + pad, n, taps_.data(), taps_.size(), padded, work);
  std::transform(padded, padded + n, y, [](double v) { return static_cast<T>(v); });
}

template <class T>
void fir_filter(const Fir<T>& filter, Batch<const T> x, Batch<T> y, int threads) {
  active_kernels();
  // In place a row is done by one thread, which knows what it has overwritten.
  const std::size_t units = x.data == y.data ? 1 : filter.units(x.length);
  parallel_for(x.rows * units, threads, [&](std::size_t begin, std::size_t end) {
    auto& scratch = of_this_thread<FirScratch<T>>();
    while (begin < end) {
      const std::size_t r = begin / units, first = begin % units, last = std::min(units, first + end - begin);
      if (x.data == y.data)
        filter(x.row(r), x.length, y.row(r), scratch);
      else
        filter.run(x.row(r), x.length, y.row(r), first, last, scratch);
      begin += last - first;
    }
  });
}

template class Correlation<double>;
template class Correlation<float>;
template class Fir<double>;
template class Fir<float>;
template void fir_filter<double>(const Fir<double>&, Batch<const double>, Batch<double>, int);
template void fir_filter<float>(const Fir<float>&, Batch<const float>, Batch<float>, int);

}  // namespace rpsd
