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

template <class T>
inline void store(T* p, const Vec<T>& v) noexcept {
  memcpy(p, &v, sizeof v);
}

}  // namespace
