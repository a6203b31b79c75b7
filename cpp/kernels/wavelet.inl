// SPDX-License-Identifier: MIT
// One level of analysis and synthesis in polyphase form, two vectors of outputs at a time.
#pragma once

namespace {

template <class T>
void split(const T* x, size_t n, T* even, T* odd) noexcept {
  const size_t pairs = n / 2;
  for (size_t i = 0; i < pairs; ++i) {
    even[i] = x[2 * i];
    odd[i] = x[2 * i + 1];
  }
  if (n % 2 != 0) even[pairs] = x[n - 1];
}

// Half > 0 fixes the number of tap pairs so that the loop over taps unrolls; 0 takes it at run time.
// A pair of filters shares its loads: two results (p, q) from two inputs (u, v). The sum runs from the newest sample
// back, which is the order of the filter's taps: Daubechies' filters start with their small ones, and single
// precision loses less when those are summed first.
template <class T, size_t Half>
inline size_t filter_pair(const T* u, const T* v, size_t n, const T* taps, size_t half_in, T* p,
                          T* q) noexcept {
  const size_t half = Half > 0 ? Half : half_in;
  constexpr size_t L = kLanes<T>;
  size_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    const size_t last = half - 1;
    const T* c = taps + 4 * last;
    Vec<T> u0 = load(u + i + last), u1 = load(u + i + last + L), v0 = load(v + i + last), v1 = load(v + i + last + L);
    Vec<T> p0 = v0 * c[1] + u0 * c[0], p1 = v1 * c[1] + u1 * c[0];
    Vec<T> q0 = v0 * c[3] + u0 * c[2], q1 = v1 * c[3] + u1 * c[2];
    for (size_t m = last; m-- > 0;) {
      c = taps + 4 * m;
      u0 = load(u + i + m), u1 = load(u + i + m + L), v0 = load(v + i + m), v1 = load(v + i + m + L);
      p0 = p0 + v0 * c[1] + u0 * c[0];
      p1 = p1 + v1 * c[1] + u1 * c[0];
      q0 = q0 + v0 * c[3] + u0 * c[2];
      q1 = q1 + v1 * c[3] + u1 * c[2];
    }
    store(p + i, p0);
    store(p + i + L, p1);
    store(q + i, q0);
    store(q + i + L, q1);
  }
  return i;
}

template <class T>
inline void filter_pair_one(const T* u, const T* v, const T* taps, size_t half, T* p, T* q) noexcept {
  const size_t last = half - 1;
  const T* c = taps + 4 * last;
  T ps = v[last] * c[1] + u[last] * c[0];
  T qs = v[last] * c[3] + u[last] * c[2];
  for (size_t m = last; m-- > 0;) {
    c = taps + 4 * m;
    ps = ps + v[m] * c[1] + u[m] * c[0];
    qs = qs + v[m] * c[3] + u[m] * c[2];
  }
  *p = ps;
  *q = qs;
}

template <class T>
size_t filter_pair_blocks(const T* u, const T* v, size_t n, const T* taps, size_t half, T* p, T* q) noexcept {
  switch (half) {
    case 1: return filter_pair<T, 1>(u, v, n, taps, half, p, q);
    case 2: return filter_pair<T, 2>(u, v, n, taps, half, p, q);
    case 3: return filter_pair<T, 3>(u, v, n, taps, half, p, q);
    case 4: return filter_pair<T, 4>(u, v, n, taps, half, p, q);
    case 5: return filter_pair<T, 5>(u, v, n, taps, half, p, q);
    case 6: return filter_pair<T, 6>(u, v, n, taps, half, p, q);
    case 7: return filter_pair<T, 7>(u, v, n, taps, half, p, q);
    case 8: return filter_pair<T, 8>(u, v, n, taps, half, p, q);
    case 9: return filter_pair<T, 9>(u, v, n, taps, half, p, q);
    case 10: return filter_pair<T, 10>(u, v, n, taps, half, p, q);
    default: return filter_pair<T, 0>(u, v, n, taps, half, p, q);
  }
}

template <class T>
void analysis(const T* even, const T* odd, size_t n, const T* taps, size_t half, T* a, T* d) noexcept {
  for (size_t i = filter_pair_blocks(even, odd, n, taps, half, a, d); i < n; ++i)
    filter_pair_one(even + i, odd + i, taps, half, a + i, d + i);
}

template <class T>
void synthesis(const T* a, const T* d, size_t pairs, const T* taps, size_t half, T* out) noexcept {
  // The two phases come out apart; they are woven in blocks that stay in the first-level cache.
  constexpr size_t kBlock = 256;
  T even[kBlock], odd[kBlock];
  for (size_t start = 0; start < pairs; start += kBlock) {
    const size_t n = pairs - start < kBlock ? pairs - start : kBlock;
    const T *u = a + start, *v = d + start;
    for (size_t i = filter_pair_blocks(u, v, n, taps, half, even, odd); i < n; ++i)
      filter_pair_one(u + i, v + i, taps, half, even + i, odd + i);
    T* o = out + 2 * start;
    for (size_t i = 0; i < n; ++i) {
      o[2 * i] = even[i];
      o[2 * i + 1] = odd[i];
    }
  }
}

}  // namespace
