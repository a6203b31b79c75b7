// SPDX-License-Identifier: MIT
// A vector as wide as the ISA's registers. Element-wise only, so the width never changes a result.
#pragma once

#if defined(RPSD_ISA_V4)
#define RPSD_VEC_BYTES 64
#elif defined(RPSD_ISA_V3)
#define RPSD_VEC_BYTES 32
#else
#define RPSD_VEC_BYTES 16
#endif

// Before a loop over the vectors of a block: keeps them in registers.
#if defined(__GNUC__)
#define RPSD_UNROLL _Pragma("GCC unroll 16")
#else
#define RPSD_UNROLL
#endif
// Before an element-wise loop: its output is its input or does not overlap it.
#if defined(__clang__)
#define RPSD_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define RPSD_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define RPSD_INDEPENDENT __pragma(loop(ivdep))
#else
#define RPSD_INDEPENDENT
#endif
// For functions that are long for a compiler's taste, but lose more to a call, which spills every vector.
#if defined(__GNUC__)
#define RPSD_ALWAYS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define RPSD_ALWAYS_INLINE __forceinline
#else
#define RPSD_ALWAYS_INLINE inline
#endif

namespace {

template <class T>
struct VecOf;

#if defined(__GNUC__)
template <>
struct VecOf<double> {
  typedef double type __attribute__((vector_size(RPSD_VEC_BYTES)));
};
template <>
struct VecOf<float> {
  typedef float type __attribute__((vector_size(RPSD_VEC_BYTES)));
};
#else
// MSVC has no vector types: a small array, which its optimiser turns into the same instructions.
template <class T>
struct ArrayVec {
  T lane[RPSD_VEC_BYTES / sizeof(T)];
  friend ArrayVec operator+(const ArrayVec& u, const ArrayVec& v) noexcept {
    ArrayVec w;
    for (size_t k = 0; k < RPSD_VEC_BYTES / sizeof(T); ++k) w.lane[k] = u.lane[k] + v.lane[k];
    return w;
  }
  friend ArrayVec operator-(const ArrayVec& u, const ArrayVec& v) noexcept {
    ArrayVec w;
    for (size_t k = 0; k < RPSD_VEC_BYTES / sizeof(T); ++k) w.lane[k] = u.lane[k] - v.lane[k];
    return w;
  }
  friend ArrayVec operator*(const ArrayVec& u, const ArrayVec& v) noexcept {
    ArrayVec w;
    for (size_t k = 0; k < RPSD_VEC_BYTES / sizeof(T); ++k) w.lane[k] = u.lane[k] * v.lane[k];
    return w;
  }
  friend ArrayVec operator/(const ArrayVec& u, const ArrayVec& v) noexcept {
    ArrayVec w;
    for (size_t k = 0; k < RPSD_VEC_BYTES / sizeof(T); ++k) w.lane[k] = u.lane[k] / v.lane[k];
    return w;
  }
  friend ArrayVec operator*(const ArrayVec& u, T s) noexcept {
    ArrayVec w;
    for (size_t k = 0; k < RPSD_VEC_BYTES / sizeof(T); ++k) w.lane[k] = u.lane[k] * s;
    return w;
  }
};
template <>
struct VecOf<double> {
  using type = ArrayVec<double>;
};
template <>
struct VecOf<float> {
  using type = ArrayVec<float>;
};
#endif

template <class T>
using Vec = typename VecOf<T>::type;

template <class T>
constexpr size_t kLanes = RPSD_VEC_BYTES / sizeof(T);

template <class T>
inline Vec<T> load(const T* p) noexcept {
  Vec<T> v;
  memcpy(&v, p, sizeof v);
  return v;
}

// By value: by reference GCC copies elements of arrays in memory, in halves.
template <class T>
inline void store(T* p, Vec<T> v) noexcept {
  memcpy(p, &v, sizeof v);
}

inline Vec<double> splat(double value) noexcept {
  double lanes[kLanes<double>];
  for (size_t k = 0; k < kLanes<double>; ++k) lanes[k] = value;
  return load(lanes);
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define RPSD_SHUFFLE 1
#endif
#endif

// The 2 L values of u then v, taken apart: those at even places, those at odd places.
template <class T>
inline void deinterleave(const Vec<T>& u, const Vec<T>& v, Vec<T>& even, Vec<T>& odd) noexcept {
#if defined(RPSD_SHUFFLE)
  if constexpr (kLanes<T> == 2) {
    even = __builtin_shufflevector(u, v, 0, 2);
    odd = __builtin_shufflevector(u, v, 1, 3);
  } else if constexpr (kLanes<T> == 4) {
    even = __builtin_shufflevector(u, v, 0, 2, 4, 6);
    odd = __builtin_shufflevector(u, v, 1, 3, 5, 7);
  } else if constexpr (kLanes<T> == 8) {
    even = __builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14);
    odd = __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15);
  } else {
    even = __builtin_shufflevector(u, v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    odd = __builtin_shufflevector(u, v, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  }
#else
  constexpr size_t L = kLanes<T>;
  T in[2 * L], out[2 * L];
  store(in, u);
  store(in + L, v);
  for (size_t k = 0; k < L; ++k) {
    out[k] = in[2 * k];
    out[L + k] = in[2 * k + 1];
  }
  even = load(out);
  odd = load(out + L);
#endif
}

// The inverse: even and odd woven into the 2 L values of u then v.
template <class T>
inline void interleave(const Vec<T>& even, const Vec<T>& odd, Vec<T>& u, Vec<T>& v) noexcept {
#if defined(RPSD_SHUFFLE)
  if constexpr (kLanes<T> == 2) {
    u = __builtin_shufflevector(even, odd, 0, 2);
    v = __builtin_shufflevector(even, odd, 1, 3);
  } else if constexpr (kLanes<T> == 4) {
    u = __builtin_shufflevector(even, odd, 0, 4, 1, 5);
    v = __builtin_shufflevector(even, odd, 2, 6, 3, 7);
  } else if constexpr (kLanes<T> == 8) {
    u = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
    v = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
  } else {
    u = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
#else
  constexpr size_t L = kLanes<T>;
  T in[2 * L], out[2 * L];
  store(in, even);
  store(in + L, odd);
  for (size_t k = 0; k < L; ++k) {
    out[2 * k] = in[k];
    out[2 * k + 1] = in[L + k];
  }
  u = load(out);
  v = load(out + L);
#endif
}

// Pairs of lanes, here a row each: the rows before those of v, the last of u among them, and those after, the first of w.
template <class T>
inline Vec<T> rows_before(const Vec<T>& u, const Vec<T>& v) noexcept {
  constexpr size_t L = kLanes<T>;
  T lanes[2 * L];
  if constexpr (L == 2) return u;
#if defined(RPSD_SHUFFLE)
  if constexpr (L == 4) return __builtin_shufflevector(u, v, 2, 3, 4, 5);
  if constexpr (L == 8) return __builtin_shufflevector(u, v, 6, 7, 8, 9, 10, 11, 12, 13);
#endif
  store(lanes, u);
  store(lanes + L, v);
  return load(lanes + L - 2);
}
template <class T>
inline Vec<T> rows_after(const Vec<T>& v, const Vec<T>& w) noexcept {
  constexpr size_t L = kLanes<T>;
  T lanes[2 * L];
  if constexpr (L == 2) return w;
#if defined(RPSD_SHUFFLE)
  if constexpr (L == 4) return __builtin_shufflevector(v, w, 2, 3, 4, 5);
  if constexpr (L == 8) return __builtin_shufflevector(v, w, 2, 3, 4, 5, 6, 7, 8, 9);
#endif
  store(lanes, v);
  store(lanes + L, w);
  return load(lanes + 2);
}

}  // namespace
