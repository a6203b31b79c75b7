// SPDX-License-Identifier: MIT
// One level of analysis and synthesis in polyphase form, four vectors of outputs at a time.
//
// Four vectors of either result are eight chains of additions, enough to hide their latency, and share the four
// broadcast taps of a step; with more, the sixteen registers of SSE and AVX overflow. The bound is the multiplier:
// 4 half products for each pair of outputs.
#pragma once

namespace {

constexpr size_t kWide = 4;

// The loop over taps stays rolled: unrolled for a fixed number of taps, GCC hoists the loads of all steps and spills
// (1.36 against 1.0 ns a pair of outputs for eight taps on Zen 3, worse for more).
// A pair of filters shares its loads: two results (p, q) from two inputs (u, v). The sum runs from the newest sample
// back, which is the order of the filter's taps: Daubechies' filters start with their small ones, and single
// precision loses less when those are summed first.
template <class T, size_t N>
inline void filter_pair(const T* u, const T* v, const T* taps, size_t half, Vec<T>* p, Vec<T>* q) noexcept {
  const size_t last = half - 1;
  constexpr size_t L = kLanes<T>;
  const T* c = taps + 4 * last;
  RPSD_UNROLL
  for (size_t k = 0; k < N; ++k) {
    const Vec<T> un = load(u + last + k * L), vn = load(v + last + k * L);
    p[k] = vn * c[1] + un * c[0];
    q[k] = vn * c[3] + un * c[2];
  }
  for (size_t m = last; m-- > 0;) {
    c = taps + 4 * m;
    RPSD_UNROLL
    for (size_t k = 0; k < N; ++k) {
      const Vec<T> um = load(u + m + k * L), vm = load(v + m + k * L);
      p[k] = p[k] + vm * c[1] + um * c[0];
      q[k] = q[k] + vm * c[3] + um * c[2];
    }
  }
}

template <class T>
inline void filter_pair_one(const T* u, const T* v, const T* taps, size_t half, T& p, T& q) noexcept {
  const size_t last = half - 1;
  const T* c = taps + 4 * last;
  p = v[last] * c[1] + u[last] * c[0];
  q = v[last] * c[3] + u[last] * c[2];
  for (size_t m = last; m-- > 0;) {
    c = taps + 4 * m;
    p = p + v[m] * c[1] + u[m] * c[0];
    q = q + v[m] * c[3] + u[m] * c[2];
  }
}

// Where results go: as they are, with the first taken apart for the next level, or woven into one signal.
template <class T>
struct Apart {
  T *p, *q;
  void vector(size_t i, const Vec<T>& vp, const Vec<T>& vq) const noexcept {
    store(p + i, vp);
    store(q + i, vq);
  }
  void one(size_t i, T sp, T sq) const noexcept {
    p[i] = sp;
    q[i] = sq;
  }
};

template <class T>
struct Woven {
  T* out;
  void vector(size_t i, const Vec<T>& vp, const Vec<T>& vq) const noexcept {
    Vec<T> low, high;
    interleave<T>(vp, vq, low, high);
    store(out + 2 * i, low);
    store(out + 2 * i + kLanes<T>, high);
  }
  void one(size_t i, T sp, T sq) const noexcept {
    out[2 * i] = sp;
    out[2 * i + 1] = sq;
  }
};

template <class T, class Out>
inline void filter_pairs(const T* u, const T* v, size_t n, const T* taps, size_t half, const Out& out) noexcept {
  constexpr size_t L = kLanes<T>;
  Vec<T> p[kWide], q[kWide];
  size_t i = 0;
  for (; i + kWide * L <= n; i += kWide * L) {
    filter_pair<T, kWide>(u + i, v + i, taps, half, p, q);
    RPSD_UNROLL
    for (size_t k = 0; k < kWide; ++k) out.vector(i + k * L, p[k], q[k]);
  }
  if (n < L) {
    for (; i < n; ++i) {
      T sp, sq;
      filter_pair_one(u + i, v + i, taps, half, sp, sq);
      out.one(i, sp, sq);
    }
    return;
  }
  // The last vector may compute some outputs again: the same bits.
  for (; i < n; i += L) {
    if (i + L > n) i = n - L;
    filter_pair<T, 1>(u + i, v + i, taps, half, p, q);
    out.vector(i, p[0], q[0]);
  }
}

template <class T>
void analysis_split(const T* even, const T* odd, size_t n, const T* taps, size_t half, T* a_even, T* a_odd,
                    T* d) noexcept {
  constexpr size_t L = kLanes<T>;
  Vec<T> p[kWide], q[kWide], e, o;
  size_t i = 0;
  for (; i + kWide * L <= n; i += kWide * L) {
    filter_pair<T, kWide>(even + i, odd + i, taps, half, p, q);
    RPSD_UNROLL
    for (size_t k = 0; k < kWide; k += 2) {
      deinterleave<T>(p[k], p[k + 1], e, o);
      store(a_even + (i + k * L) / 2, e);
      store(a_odd + (i + k * L) / 2, o);
    }
    RPSD_UNROLL
    for (size_t k = 0; k < kWide; ++k) store(d + i + k * L, q[k]);
  }
  if (n < 2 * L) {
    for (; i < n; ++i) filter_pair_one(even + i, odd + i, taps, half, (i % 2 == 0 ? a_even : a_odd)[i / 2], d[i]);
    return;
  }
  for (; i < n; i += 2 * L) {
    if (i + 2 * L > n) i = n - 2 * L;
    filter_pair<T, 2>(even + i, odd + i, taps, half, p, q);
    deinterleave<T>(p[0], p[1], e, o);
    store((i % 2 == 0 ? a_even : a_odd) + i / 2, e);
    store(i % 2 == 0 ? a_odd + i / 2 : a_even + i / 2 + 1, o);
    store(d + i, q[0]);
    store(d + i + L, q[1]);
  }
}

template <class T>
void analysis(const T* even, const T* odd, size_t n, const T* taps, size_t half, T* a, T* d) noexcept {
  filter_pairs(even, odd, n, taps, half, Apart<T>{a, d});
}

template <class T>
void synthesis(const T* a, const T* d, size_t pairs, const T* taps, size_t half, T* out) noexcept {
  filter_pairs(a, d, pairs, taps, half, Woven<T>{out});
}

template <class T>
void split(const T* x, size_t n, T* even, T* odd) noexcept {
  constexpr size_t L = kLanes<T>;
  size_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    Vec<T> e, o;
    deinterleave<T>(load(x + i), load(x + i + L), e, o);
    store(even + i / 2, e);
    store(odd + i / 2, o);
  }
  for (; i < n; ++i) (i % 2 == 0 ? even : odd)[i / 2] = x[i];
}

}  // namespace
