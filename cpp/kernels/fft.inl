// SPDX-License-Identifier: MIT
// Complex Fourier transform of split arrays for convolutions: radix 4, decimation in frequency forward (Gentleman &
// Sande 1966) and in time back (Cooley & Tukey 1965), so that no pass reorders. Strides of 16 and more run along the
// arrays; the last 16 points, narrower than the widest vector, run across L transposed blocks of 16. Every point goes
// through the same operations for any L. Vectors throughout, since GCC 12 fuses the scalar products of complex numbers
// in spite of -ffp-contract=off; hence n >= 256, which is 16 blocks of 16 for 16 lanes of float.
#pragma once

namespace {

constexpr size_t kFftBlock = 16;
// Longer transforms are finished part by part, so that the passes below this length stay in the first-level cache.
constexpr size_t kFftLeaf = 1024;

template <class V>
struct Complex {
  V re, im;
};

template <class V>
inline Complex<V> operator+(const Complex<V>& u, const Complex<V>& v) noexcept {
  return {u.re + v.re, u.im + v.im};
}
template <class V>
inline Complex<V> operator-(const Complex<V>& u, const Complex<V>& v) noexcept {
  return {u.re - v.re, u.im - v.im};
}
template <class V, class W>
inline Complex<V> times(const Complex<V>& u, const Complex<W>& w) noexcept {
  return {u.re * w.re - u.im * w.im, u.im * w.re + u.re * w.im};
}
template <class V, class W>
inline Complex<V> times_conjugate(const Complex<V>& u, const Complex<W>& w) noexcept {
  return {u.re * w.re + u.im * w.im, u.im * w.re - u.re * w.im};
}

// The transform of four points, with w = -i forward and w = i back.
template <bool kForward, class V>
inline void four(Complex<V>& a, Complex<V>& b, Complex<V>& c, Complex<V>& d) noexcept {
  const Complex<V> p = a + c, q = a - c, r = b + d, s = b - d;
  a = p + r;
  c = p - r;
  if (kForward) {
    b = {q.re + s.im, q.im - s.re};
    d = {q.re - s.im, q.im + s.re};
  } else {
    b = {q.re - s.im, q.im + s.re};
    d = {q.re + s.im, q.im - s.re};
  }
}

// One pass over a part of 4 s points; w holds, for each 16 values of k, the real and imaginary parts of the k-th,
// 2k-th and 3k-th power of exp(-2 pi i / 4s).
template <bool kForward, class T>
inline void radix4(T* re, T* im, size_t s, const T* w) noexcept {
  using V = Vec<T>;
  for (size_t k = 0; k < s; k += kFftBlock, w += 6 * kFftBlock)
    for (size_t j = 0; j < kFftBlock; j += kLanes<T>) {
      T *const x = re + k + j, *const y = im + k + j;
      const T* const t = w + j;
      Complex<V> a = {load(x), load(y)}, b = {load(x + s), load(y + s)};
      Complex<V> c = {load(x + 2 * s), load(y + 2 * s)}, d = {load(x + 3 * s), load(y + 3 * s)};
      const Complex<V> u = {load(t), load(t + kFftBlock)};
      const Complex<V> v = {load(t + 2 * kFftBlock), load(t + 3 * kFftBlock)};
      const Complex<V> z = {load(t + 4 * kFftBlock), load(t + 5 * kFftBlock)};
      if (!kForward) {
        b = times_conjugate(b, u);
        c = times_conjugate(c, v);
        d = times_conjugate(d, z);
      }
      four<kForward>(a, b, c, d);
      if (kForward) {
        b = times(b, u);
        c = times(c, v);
        d = times(d, z);
      }
      store(x, a.re);
      store(y, a.im);
      store(x + s, b.re);
      store(y + s, b.im);
      store(x + 2 * s, c.re);
      store(y + 2 * s, c.im);
      store(x + 3 * s, d.re);
      store(y + 3 * s, d.im);
    }
}

// One pass over 2 s points, for lengths that are no power of four; w as above, first powers only.
template <bool kForward, class T>
inline void radix2(T* re, T* im, size_t s, const T* w) noexcept {
  using V = Vec<T>;
  for (size_t k = 0; k < s; k += kFftBlock, w += 2 * kFftBlock)
    for (size_t j = 0; j < kFftBlock; j += kLanes<T>) {
      T *const x = re + k + j, *const y = im + k + j;
      const Complex<V> u = {load(w + j), load(w + j + kFftBlock)};
      const Complex<V> a = {load(x), load(y)};
      Complex<V> b = {load(x + s), load(y + s)};
      if (!kForward) b = times_conjugate(b, u);
      const Complex<V> sum = a + b;
      Complex<V> difference = a - b;
      if (kForward) difference = times(difference, u);
      store(x, sum.re);
      store(y, sum.im);
      store(x + s, difference.re);
      store(y + s, difference.im);
    }
}

#if defined(__GNUC__)
template <size_t... I>
struct Lanes {};
template <size_t N, size_t... I>
struct LanesTo : LanesTo<N - 1, N - 1, I...> {};
template <size_t... I>
struct LanesTo<0, I...> {
  using type = Lanes<I...>;
};

// Swaps the odd blocks of S lanes of u with the even ones of v.
template <size_t S, class V, size_t... I>
inline void swap_blocks(V& u, V& v, Lanes<I...>) noexcept {
  constexpr size_t L = sizeof...(I);
  const V low = __builtin_shufflevector(u, v, ((I & S) != 0 ? L + I - S : I)...);
  v = __builtin_shufflevector(u, v, ((I & S) != 0 ? L + I : I + S)...);
  u = low;
}
template <size_t S, class T>
inline void swap_blocks(Vec<T>& u, Vec<T>& v) noexcept {
  swap_blocks<S>(u, v, typename LanesTo<kLanes<T>>::type{});
}
#else
template <size_t S, class T>
inline void swap_blocks(Vec<T>& u, Vec<T>& v) noexcept {
  for (size_t i = 0; i < kLanes<T>; ++i)
    if ((i & S) != 0) {
      const T lane = u.lane[i];
      u.lane[i] = v.lane[i - S];
      v.lane[i - S] = lane;
    }
}
#endif

// L vectors of L lanes (Eklundh 1972).
template <size_t S, class T>
struct Transpose {
  static inline void run(Vec<T>* rows) noexcept {
    for (size_t r = 0; r < kLanes<T>; ++r)
      if ((r & S) == 0) swap_blocks<S, T>(rows[r], rows[r + S]);
    Transpose<S / 2, T>::run(rows);
  }
};
template <class T>
struct Transpose<0, T> {
  static inline void run(Vec<T>*) noexcept {}
};

// Between L blocks of 16 consecutive points and 16 vectors, of which each lane is a block.
template <class T>
inline void gather_blocks(const T* p, Vec<T>* rows) noexcept {
  constexpr size_t L = kLanes<T>;
  for (size_t q = 0; q < kFftBlock; q += L) {
    for (size_t r = 0; r < L; ++r) rows[q + r] = load(p + r * kFftBlock + q);
    Transpose<L / 2, T>::run(rows + q);
  }
}
template <class T>
inline void scatter_blocks(Vec<T>* rows, T* p) noexcept {
  constexpr size_t L = kLanes<T>;
  for (size_t q = 0; q < kFftBlock; q += L) {
    Transpose<L / 2, T>::run(rows + q);
    for (size_t r = 0; r < L; ++r) store(p + r * kFftBlock + q, rows[q + r]);
  }
}

// Sixteen points as four times four. The spectrum stays transposed.
template <bool kForward, class T>
inline void sixteen(T* re, T* im) noexcept {
  using V = Vec<T>;
  constexpr size_t L = kLanes<T>;
  constexpr T C = T(0.92387953251128675613), S = T(0.38268343236508977173), R = T(0.70710678118654752440);
  constexpr Complex<T> w[3][3] = {{{C, -S}, {R, -R}, {S, -C}}, {{R, -R}, {0, -1}, {-R, -R}}, {{S, -C}, {-R, -R}, {-C, S}}};
  V x[kFftBlock], y[kFftBlock];
  Complex<V> z[kFftBlock];
  if (kForward) {
    gather_blocks(re, x);
    gather_blocks(im, y);
    for (size_t i = 0; i < kFftBlock; ++i) z[i] = {x[i], y[i]};
    for (size_t k = 0; k < 4; ++k) {
      four<true>(z[k], z[k + 4], z[k + 8], z[k + 12]);
      if (k > 0)
        for (size_t m = 1; m < 4; ++m) z[k + 4 * m] = times(z[k + 4 * m], w[k - 1][m - 1]);
    }
    for (size_t k = 0; k < kFftBlock; k += 4) four<true>(z[k], z[k + 1], z[k + 2], z[k + 3]);
    for (size_t i = 0; i < kFftBlock; ++i) {
      store(re + i * L, z[i].re);
      store(im + i * L, z[i].im);
    }
  } else {
    for (size_t i = 0; i < kFftBlock; ++i) z[i] = {load(re + i * L), load(im + i * L)};
    for (size_t k = 0; k < kFftBlock; k += 4) four<false>(z[k], z[k + 1], z[k + 2], z[k + 3]);
    for (size_t k = 0; k < 4; ++k) {
      if (k > 0)
        for (size_t m = 1; m < 4; ++m) z[k + 4 * m] = times_conjugate(z[k + 4 * m], w[k - 1][m - 1]);
      four<false>(z[k], z[k + 4], z[k + 8], z[k + 12]);
    }
    for (size_t i = 0; i < kFftBlock; ++i) {
      x[i] = z[i].re;
      y[i] = z[i].im;
    }
    scatter_blocks(x, re);
    scatter_blocks(y, im);
  }
}

template <bool kForward, class T>
inline void blocks_of_sixteen(T* re, T* im, size_t n) noexcept {
  constexpr size_t step = kLanes<T> * kFftBlock;
  for (size_t i = 0; i < n; i += step) sixteen<kForward>(re + i, im + i);
}

// n: a power of four, at least 256; w: the passes' roots, longest first.
template <class T>
void forward_part(T* re, T* im, size_t n, const T* w) noexcept {
  if (n > kFftLeaf) {
    const size_t s = n / 4;
    radix4<true>(re, im, s, w);
    for (size_t i = 0; i < n; i += s) forward_part(re + i, im + i, s, w + 6 * s);
    return;
  }
  for (size_t s = n / 4; s >= kFftBlock; w += 6 * s, s /= 4)
    for (size_t i = 0; i < n; i += 4 * s) radix4<true>(re + i, im + i, s, w);
  blocks_of_sixteen<true>(re, im, n);
}

template <class T>
void inverse_part(T* re, T* im, size_t n, const T* w) noexcept {
  const size_t quarter = n / 4;
  if (n > kFftLeaf) {
    for (size_t i = 0; i < n; i += quarter) inverse_part(re + i, im + i, quarter, w + 6 * quarter);
    radix4<false>(re, im, quarter, w);
    return;
  }
  blocks_of_sixteen<false>(re, im, n);
  // The roots of the pass with stride s follow those of 4 s, 16 s, ...: 6 (4 s + 16 s + ... + n / 4) values.
  for (size_t s = kFftBlock; s <= quarter; s *= 4)
    for (size_t i = 0; i < n; i += 4 * s) radix4<false>(re + i, im + i, s, w + 2 * (n - 4 * s));
}

inline bool power_of_four(size_t n) noexcept {
  while (n > 1 && n % 4 == 0) n /= 4;
  return n == 1;
}

template <class T>
void fft_forward(T* re, T* im, size_t n, const T* w) noexcept {
  if (power_of_four(n)) return forward_part(re, im, n, w);
  radix2<true>(re, im, n / 2, w);
  for (size_t i = 0; i < n; i += n / 2) forward_part(re + i, im + i, n / 2, w + n);
}

template <class T>
void fft_inverse(T* re, T* im, size_t n, const T* w) noexcept {
  if (power_of_four(n)) return inverse_part(re, im, n, w);
  for (size_t i = 0; i < n; i += n / 2) inverse_part(re + i, im + i, n / 2, w + n);
  radix2<false>(re, im, n / 2, w);
}

template <class T>
void multiply_complex(T* re, T* im, const T* other_re, const T* other_im, size_t n) noexcept {
  for (size_t i = 0; i < n; i += kLanes<T>) {
    const Complex<Vec<T>> u = {load(re + i), load(im + i)};
    const Complex<Vec<T>> product = times(u, Complex<Vec<T>>{load(other_re + i), load(other_im + i)});
    store(re + i, product.re);
    store(im + i, product.im);
  }
}

}  // namespace
