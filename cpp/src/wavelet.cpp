// SPDX-License-Identifier: MIT
// Mallat's pyramid in polyphase form (Mallat 1989; Strang & Nguyen 1996, chapter 4): the signal is extended once,
// split into even and odd samples, and filtered at the low rate.
#include "rpsd/wavelet.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"

namespace rpsd {
namespace {

using Index = std::ptrdiff_t;

// Non-negative remainder, and the quotient that goes with it.
struct Division {
  Index quotient, remainder;
};
Division floor_divide(Index i, Index period) {
  Index q = i / period, r = i % period;
  if (r < 0) {
    r += period;
    --q;
  }
  return {q, r};
}

// Sample i of the signal x[0..n) extended to all integers.
template <class T>
T extended(const T* x, Index n, Index i, Boundary boundary) {
  if (i >= 0 && i < n) return x[i];
  const T first = x[0], last = x[n - 1];
  switch (boundary) {
    case Boundary::zero: return T(0);
    case Boundary::constant: return i < 0 ? first : last;
    case Boundary::periodic: return x[floor_divide(i, n).remainder];
    case Boundary::periodization: {  // an odd signal repeats its last sample first
      const Index r = floor_divide(i, n + n % 2).remainder;
      return x[std::min(r, n - 1)];
    }
    case Boundary::symmetric: {
      const Index r = floor_divide(i, 2 * n).remainder;
      return r < n ? x[r] : x[2 * n - 1 - r];
    }
    case Boundary::antisymmetric: {
      const Index r = floor_divide(i, 2 * n).remainder;
      return r < n ? x[r] : -x[2 * n - 1 - r];
    }
    case Boundary::reflect: {
      if (n == 1) return first;
      const Index r = floor_divide(i, 2 * (n - 1)).remainder;
      return r < n ? x[r] : x[2 * (n - 1) - r];
    }
    case Boundary::antireflect: {  // each turn about an end goes on along the chord from end to end
      if (n == 1) return first;
      // An end comes in only where a turn has been made about it, so that a NaN there stays on its side.
      if (i < 0) return 2 * first - extended(x, n, -i, boundary);
      const Division d = floor_divide(i, 2 * (n - 1));
      const T inside = d.remainder < n ? x[d.remainder] : 2 * last - x[2 * (n - 1) - d.remainder];
      return d.quotient == 0 ? inside : inside + static_cast<T>(d.quotient) * (2 * (last - first));
    }
    case Boundary::smooth: {
      if (n == 1) return first;
      return i < 0 ? first + static_cast<T>(i) * (x[1] - first)
                   : last + static_cast<T>(i - (n - 1)) * (last - x[n - 2]);
    }
  }
  return T(0);
}

template <class T>
std::vector<T> interleave(const std::vector<double>& p, const std::vector<double>& q, bool reversed, std::size_t half) {
  // Four taps a step: for analysis (lo even, lo odd, hi even, hi odd) read backwards; for synthesis the even
  // output's (lo, hi), then the odd output's.
  std::vector<T> taps(4 * half);
  for (std::size_t m = 0; m < half; ++m) {
    const std::size_t far = 2 * (half - m) - 1, near = far - 1;
    if (reversed) {
      taps[4 * m] = static_cast<T>(p[far]);
      taps[4 * m + 1] = static_cast<T>(p[near]);
      taps[4 * m + 2] = static_cast<T>(q[far]);
      taps[4 * m + 3] = static_cast<T>(q[near]);
    } else {
      taps[4 * m] = static_cast<T>(p[near]);
      taps[4 * m + 1] = static_cast<T>(q[near]);
      taps[4 * m + 2] = static_cast<T>(p[far]);
      taps[4 * m + 3] = static_cast<T>(q[far]);
    }
  }
  return taps;
}

std::size_t checked_half(const FilterBank& bank) {
  const std::size_t n = bank.dec_lo.size();
  if (n < 2 || n % 2 != 0 || bank.dec_hi.size() != n || bank.rec_lo.size() != n || bank.rec_hi.size() != n)
    throw std::invalid_argument("wavelet must have four filters of one even length >= 2, got lengths " +
                                std::to_string(n) + ", " + std::to_string(bank.dec_hi.size()) + ", " +
                                std::to_string(bank.rec_lo.size()) + ", " + std::to_string(bank.rec_hi.size()));
  return n / 2;
}

}  // namespace

template <class T>
Transform<T>::Transform(const FilterBank& bank, Boundary boundary)
    : boundary_(boundary),
      half_(checked_half(bank)),
      analysis_taps_(interleave<T>(bank.dec_lo, bank.dec_hi, true, half_)),
      synthesis_taps_(interleave<T>(bank.rec_lo, bank.rec_hi, false, half_)) {}

template <class T>
std::size_t Transform<T>::coefficient_count(std::size_t n) const noexcept {
  return boundary_ == Boundary::periodization ? (n + 1) / 2 : (n + taps() - 1) / 2;
}

template <class T>
std::size_t Transform<T>::sample_count(std::size_t m) const noexcept {
  if (boundary_ == Boundary::periodization) return 2 * m;
  return m < half_ ? 0 : 2 * (m - half_ + 1);
}

template <class T>
int Transform<T>::max_level(std::size_t n) const noexcept {
  int level = 0;
  for (std::size_t reach = 2 * (taps() - 1); reach <= n; reach *= 2) ++level;
  return level;
}

template <class T>
void Transform<T>::forward(const T* x, std::size_t n, T* a, T* d, TransformScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  const std::size_t m = coefficient_count(n);
  // Both kinds of boundary read a window of 2 half samples that moves by two; they differ in where it starts.
  const std::size_t lead = boundary_ == Boundary::periodization ? half_ - 1 : 2 * half_ - 2;
  const std::size_t total = 2 * (m + half_ - 1);
  const std::size_t pairs = std::max(total, lead + n + 2) / 2 + 1;
  T* even = scratch.even.get(pairs);
  T* odd = scratch.odd.get(pairs);
  if (lead % 2 == 0)
    kernel.split(x, n, even + lead / 2, odd + lead / 2);
  else
    kernel.split(x, n, odd + lead / 2, even + lead / 2 + 1);
  const auto extend = [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      T* const phase = t % 2 == 0 ? even : odd;
      phase[t / 2] = extended(x, static_cast<Index>(n), static_cast<Index>(t) - static_cast<Index>(lead), boundary_);
    }
  };
  extend(0, std::min(lead, total));
  extend(lead + n, total);
  kernel.analysis(even, odd, m, analysis_taps_.data(), half_, a, d);
}

template <class T>
void Transform<T>::inverse(const T* a, const T* d, std::size_t m, T* x, TransformScratch<T>& scratch) const {
  const auto& kernel = active_table<T>();
  if (boundary_ != Boundary::periodization) {
    kernel.synthesis(a, d, m - half_ + 1, synthesis_taps_.data(), half_, x);
    return;
  }
  // Coefficients wrap round; output n reads coefficients from (n - half + 1) / 2 on, rounded down, so that for an
  // even half the first output computed lies before the signal.
  const std::size_t lead = half_ / 2, skip = half_ % 2 == 0 ? 1 : 0;
  const std::size_t pairs = m + skip, total = pairs + half_ - 1;
  T* wrapped_a = scratch.even.get(total);
  T* wrapped_d = scratch.odd.get(total);
  for (std::size_t t = 0; t < total; ++t) {
    const auto i = static_cast<std::size_t>(
        floor_divide(static_cast<Index>(t) - static_cast<Index>(lead), static_cast<Index>(m)).remainder);
    wrapped_a[t] = a[i];
    wrapped_d[t] = d[i];
  }
  T* out = scratch.padded.get(2 * pairs);
  kernel.synthesis(wrapped_a, wrapped_d, pairs, synthesis_taps_.data(), half_, out);
  std::copy(out + skip, out + skip + 2 * m, x);
}

template <class T>
std::vector<std::size_t> level_lengths(const Transform<T>& transform, std::size_t n, int level) {
  std::vector<std::size_t> lengths;
  for (int k = 0; k < level; ++k) lengths.push_back(n = transform.coefficient_count(n));
  return lengths;
}

template <class T>
void wavedec(const Transform<T>& transform, Batch<const T> x, int level, const std::vector<Batch<T>>& coefficients,
             int threads) {
  active_kernels();  // a bad RPSD_ISA is reported from the caller's thread
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    thread_local TransformScratch<T> scratch;
    for (std::size_t r = begin; r < end; ++r) {
      const T* current = x.row(r);
      std::size_t n = x.length;
      T* last = coefficients[0].row(r);
      if (level == 0) std::copy(current, current + n, last);
      for (int k = 1; k <= level; ++k) {
        const std::size_t m = transform.coefficient_count(n);
        T* a = k == level ? last : scratch.approximation[k % 2].get(m);
        transform.forward(current, n, a, coefficients[static_cast<std::size_t>(level - k + 1)].row(r), scratch);
        current = a;
        n = m;
      }
    }
  });
}

template <class T>
std::size_t waverec_length(const Transform<T>& transform, const std::vector<std::size_t>& lengths) {
  std::size_t n = lengths.at(0);
  for (std::size_t k = 1; k < lengths.size(); ++k) {
    const std::size_t m = lengths[k];
    if (n == m + 1) n = m;
    if (n != m)
      throw std::invalid_argument("coeffs[" + std::to_string(k) + "] must have " + std::to_string(n) +
                                  " coefficients (or one fewer) to go with the approximation before it, got " +
                                  std::to_string(m));
    n = transform.sample_count(m);
    if (n == 0)
      throw std::invalid_argument("coeffs[" + std::to_string(k) + "] must have at least " +
                                  std::to_string(transform.taps() / 2) + " coefficients for a filter of " +
                                  std::to_string(transform.taps()) + " taps, got " + std::to_string(m));
  }
  return n;
}

template <class T>
void waverec(const Transform<T>& transform, const std::vector<Batch<const T>>& coefficients, Batch<T> x, int threads) {
  active_kernels();
  const std::size_t levels = coefficients.size() - 1;
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    thread_local TransformScratch<T> scratch;
    for (std::size_t r = begin; r < end; ++r) {
      const T* a = coefficients[0].row(r);
      if (levels == 0) std::copy(a, a + x.length, x.row(r));
      for (std::size_t k = 1; k <= levels; ++k) {
        const std::size_t m = coefficients[k].length;
        T* out = k == levels ? x.row(r) : scratch.approximation[k % 2].get(transform.sample_count(m));
        transform.inverse(a, coefficients[k].row(r), m, out, scratch);
        a = out;
      }
    }
  });
}

#define RPSD_INSTANTIATE(T)                                                                                      \
  template class Transform<T>;                                                                                   \
  template std::vector<std::size_t> level_lengths<T>(const Transform<T>&, std::size_t, int);                     \
  template void wavedec<T>(const Transform<T>&, Batch<const T>, int, const std::vector<Batch<T>>&, int);         \
  template std::size_t waverec_length<T>(const Transform<T>&, const std::vector<std::size_t>&);                  \
  template void waverec<T>(const Transform<T>&, const std::vector<Batch<const T>>&, Batch<T>, int);
RPSD_INSTANTIATE(double)
RPSD_INSTANTIATE(float)
#undef RPSD_INSTANTIATE

}  // namespace rpsd
