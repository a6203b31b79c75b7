// SPDX-License-Identifier: MIT
// The pyramid algorithm of Percival & Walden (2000), section 5.5, on one period.
#include "rpsd/modwt.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "modwt_blocks.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

// Scaling and wavelet taps in turn, divided by sqrt 2. The first analysis tap meets the newest sample, as in
// Percival & Walden's convolution and in PyWavelets' own; the synthesis filters run the other way.
template <class T>
std::vector<T> interleave(const std::vector<double>& low, const std::vector<double>& high, bool reversed) {
  const std::size_t n = low.size();
  if (n == 0 || high.size() != n)
    throw std::invalid_argument("wavelet must have filters of one length >= 1, got lengths " + std::to_string(n) +
                                " and " + std::to_string(high.size()));
  std::vector<T> taps(2 * n);
  for (std::size_t l = 0; l < n; ++l) {
    const std::size_t from = reversed ? n - 1 - l : l;
    taps[2 * l] = static_cast<T>(low[from] / std::sqrt(2.0));
    taps[2 * l + 1] = static_cast<T>(high[from] / std::sqrt(2.0));
  }
  return taps;
}

// sum l f_l^2 / sum f_l^2.
double centre_of_energy(const std::vector<double>& taps) {
  double moment = 0, energy = 0;
  for (std::size_t l = 0; l < taps.size(); ++l) {
    moment += static_cast<double>(l) * (taps[l] * taps[l]);
    energy += taps[l] * taps[l];
  }
  return moment / energy;
}

std::size_t rounded_lag(double lag, std::size_t period) noexcept {
  return static_cast<std::size_t>(std::fmod(std::floor(lag + 0.5), static_cast<double>(period)));
}

}  // namespace

template <class T>
Modwt<T>::Modwt(const FilterBank& bank)
    : analysis_taps_(interleave<T>(bank.dec_lo, bank.dec_hi, false)),
      synthesis_taps_(interleave<T>(bank.rec_lo, bank.rec_hi, true)),
      smooth_centre_(centre_of_energy(bank.dec_lo)),
      detail_centre_(centre_of_energy(bank.dec_hi)) {
  if (bank.dec_lo.size() != bank.rec_lo.size())
    throw std::invalid_argument("wavelet must have filters of one length, got lengths " +
                                std::to_string(bank.dec_lo.size()) + " and " + std::to_string(bank.rec_lo.size()));
}

template <class T>
std::size_t Modwt<T>::reach(int level, std::size_t limit) const noexcept {
  std::size_t total = 0;
  for (std::size_t step = taps() - 1; level > 0 && total < limit; --level, step *= 2) total += std::min(step, limit);
  return std::min(total, limit);
}

template <class T>
std::size_t Modwt<T>::detail_lag(int level, std::size_t period) const noexcept {
  const double stride = std::ldexp(1.0, level - 1);
  return rounded_lag(stride * detail_centre_ + (stride - 1) * smooth_centre_, period);
}

template <class T>
std::size_t Modwt<T>::smooth_lag(int level, std::size_t period) const noexcept {
  return rounded_lag((std::ldexp(1.0, level) - 1) * smooth_centre_, period);
}

// One level; scratch.offsets holds l 2^(j-1) modulo n. The first outputs read what lies a period earlier.
template <class T>
void Modwt<T>::down(const T* x, std::size_t n, T* v, T* w, ModwtScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const auto& offsets = scratch.offsets;
  const std::size_t wrap = *std::max_element(offsets.begin(), offsets.end());
  T* around = scratch.ends[0].get(2 * wrap);
  std::copy(x + n - wrap, x + n, around);
  std::copy(x, x + wrap, around + wrap);
  kernel.modwt_analysis(around + wrap, wrap, analysis_taps_.data(), offsets.data(), taps(), v, w);
  kernel.modwt_analysis(x + wrap, n - wrap, analysis_taps_.data(), offsets.data(), taps(), v + wrap, w + wrap);
}

template <class T>
void Modwt<T>::up(const T* v, const T* w, std::size_t n, const T* given_taps, T* x, ModwtScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const auto& offsets = scratch.offsets;
  const std::size_t wrap = *std::max_element(offsets.begin(), offsets.end());
  T* around[2];
  for (int k = 0; k < 2; ++k) {
    const T* from = k == 0 ? v : w;
    around[k] = scratch.ends[k].get(2 * wrap);
    std::copy(from + n - wrap, from + n, around[k]);
    std::copy(from, from + wrap, around[k] + wrap);
  }
  kernel.modwt_synthesis(v, w, n - wrap, given_taps, offsets.data(), taps(), x);
  kernel.modwt_synthesis(around[0], around[1], wrap, given_taps, offsets.data(), taps(), x + n - wrap);
}

namespace {

// offsets[l] = l 2^(level-1) modulo n.
void set_offsets(std::vector<std::size_t>& offsets, std::size_t taps, int level, std::size_t n) {
  std::size_t stride = 1 % n;
  for (int k = 1; k < level; ++k) stride = 2 * stride % n;
  offsets.assign(taps, 0);
  for (std::size_t l = 1; l < taps; ++l) offsets[l] = (offsets[l - 1] + stride) % n;
}

}  // namespace

template <class T>
void Modwt<T>::forward(const T* x, std::size_t n, int level, T* coeffs, ModwtScratch<T>& scratch) const {
  if (level == 0) std::copy(x, x + n, coeffs);
  const T* current = x;
  for (int j = 1; j <= level; ++j) {
    check_stop();
    T* v = j == level ? coeffs : scratch.level[j % 2].get(n);
    set_offsets(scratch.offsets, taps(), j, n);
    down(current, n, v, coeffs + static_cast<std::size_t>(level + 1 - j) * n, scratch);
    current = v;
  }
}

template <class T>
void Modwt<T>::inverse(const T* coeffs, std::size_t n, int level, T* x, ModwtScratch<T>& scratch, Back back) const {
  if (level == 0) std::copy(coeffs, coeffs + n, x);
  const T* given_taps = (back == Back::inverse ? synthesis_taps_ : analysis_taps_).data();
  const T* current = coeffs;
  for (int j = level; j >= 1; --j) {
    check_stop();
    T* out = j == 1 ? x : scratch.level[j % 2].get(n);
    set_offsets(scratch.offsets, taps(), j, n);
    up(current, coeffs + static_cast<std::size_t>(level + 1 - j) * n, n, given_taps, out, scratch);
    current = out;
  }
}

template <class T>
void symmetric_modwt(const Modwt<T>& transform, const T* x, std::size_t n, int level, T* coeffs, Buffer<T>& doubled,
                     Buffer<T>& all, ModwtScratch<T>& scratch) {
  const std::size_t period = 2 * n;
  T* both = doubled.get(period);
  std::copy(x, x + n, both);
  std::reverse_copy(x, x + n, both + n);
  T* rows = all.get(static_cast<std::size_t>(level + 1) * period);
  transform.forward(both, period, level, rows, scratch);
  for (int k = 0; k <= level; ++k) {
    const std::size_t lag = k == 0 ? transform.smooth_lag(level, period) : transform.detail_lag(level + 1 - k, period);
    const T* row = rows + static_cast<std::size_t>(k) * period;
    T* kept = coeffs + static_cast<std::size_t>(k) * n;
    const std::size_t first = std::min(n, period - lag);
    std::copy(row + lag, row + lag + first, kept);
    std::copy(row, row + (n - first), kept + first);
  }
}

namespace {

// The same, and the periodic transform, block by block: for filters that do not reach round the series.
template <class T>
void modwt_in_blocks(const Modwt<T>& transform, ModwtBoundary boundary, const T* x, std::size_t n, int level, T* coeffs,
                     int threads, std::vector<std::size_t>& offsets) {
  const ModwtBlocks<T> blocks(transform, boundary, x, n, level, offsets);
  std::array<std::size_t, kMaxModwtLevel + 1> lags{};
  if (boundary == ModwtBoundary::symmetric)
    for (int k = 0; k <= level; ++k)
      lags[static_cast<std::size_t>(k)] =
          k == 0 ? transform.smooth_lag(level, 2 * n) : transform.detail_lag(level + 1 - k, 2 * n);
  const std::size_t furthest = *std::max_element(lags.begin(), lags.end());
  parallel_for(blocks.count(), threads, [&](std::size_t begin, std::size_t end) {
    auto& scratch = of_this_thread<ModwtBlockScratch<T>>();
    for (std::size_t b = begin; b < end; ++b) {
      blocks.analyse(b, level, true, furthest, scratch);
      for (int k = 0; k <= level; ++k) {
        const auto row = static_cast<std::size_t>(k);
        const T* from = (k == 0 ? scratch.smooth[level % 2] : scratch.detail(level + 1 - k)) + blocks.halo() + lags[row];
        std::copy(from, from + blocks.length(b), coeffs + row * n + b * blocks.size());
      }
    }
  });
}

}  // namespace

template <class T>
void modwt(const FilterBank& bank, ModwtBoundary boundary, int level, Batch<const T> x, Batch<T> coeffs, int threads) {
  active_kernels();  // a bad RPSD_ISA is reported from the caller's thread
  const Modwt<T> transform(bank);
  const auto rows = static_cast<std::size_t>(level + 1);
  const int within = x.rows == 1 ? threads : 1;  // a single series has all the threads to itself
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    ModwtScratch<T> scratch;
    Buffer<T> doubled, all;
    for (std::size_t r = begin; r < end; ++r) {
      if (level > 0 && transform.reach(level, x.length + 1) <= x.length)
        modwt_in_blocks(transform, boundary, x.row(r), x.length, level, coeffs.row(r * rows), within, scratch.offsets);
      else if (boundary == ModwtBoundary::periodic)
        transform.forward(x.row(r), x.length, level, coeffs.row(r * rows), scratch);
      else
        symmetric_modwt(transform, x.row(r), x.length, level, coeffs.row(r * rows), doubled, all, scratch);
    }
  });
}

template <class T>
void imodwt(const FilterBank& bank, ModwtBoundary boundary, int level, Batch<const T> coeffs, Batch<T> x, int threads) {
  active_kernels();
  const Modwt<T> transform(bank);
  const Modwt<double> in_double(bank);
  const std::size_t n = x.length, rows = static_cast<std::size_t>(level + 1);
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    ModwtScratch<T> scratch;
    std::vector<double> from, to(std::is_same_v<T, double> ? 0 : n);
    for (std::size_t r = begin; r < end; ++r) {
      const T* c = coeffs.row(r * rows);
      if (boundary == ModwtBoundary::periodic) {
        transform.inverse(c, n, level, x.row(r), scratch);
        continue;
      }
      if constexpr (std::is_same_v<T, double>) {
        symmetric_imodwt(transform, c, n, level, x.row(r));
      } else {
        from.assign(c, c + rows * n);
        symmetric_imodwt(in_double, from.data(), n, level, to.data());
        std::transform(to.begin(), to.end(), x.row(r), [](double v) { return static_cast<T>(v); });
      }
    }
  });
}

ModwtBoundary parse_modwt_boundary(const std::string& word) {
  if (word == "symmetric") return ModwtBoundary::symmetric;
  if (word == "periodic") return ModwtBoundary::periodic;
  throw std::invalid_argument("boundary must be symmetric or periodic, got \"" + word + "\"");
}

#define RPSD_INSTANTIATE(T)                                                                                         \
  template class Modwt<T>;                                                                                          \
  template void symmetric_modwt<T>(const Modwt<T>&, const T*, std::size_t, int, T*, Buffer<T>&, Buffer<T>&,         \
                                   ModwtScratch<T>&);                                                               \
  template void modwt<T>(const FilterBank&, ModwtBoundary, int, Batch<const T>, Batch<T>, int);                     \
  template void imodwt<T>(const FilterBank&, ModwtBoundary, int, Batch<const T>, Batch<T>, int);
RPSD_INSTANTIATE(double)
RPSD_INSTANTIATE(float)
#undef RPSD_INSTANTIATE

}  // namespace rpsd
