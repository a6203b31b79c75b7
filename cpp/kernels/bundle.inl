// SPDX-License-Identifier: MIT
// Eight lanes, or the first of them, as vectors; and the way between contiguous series and lanes.
#pragma once

namespace {

using rpsd::kernels::kBundle;

// As many vectors as hold the lanes in use.
template <size_t kVectors>
struct Bundle {
  static constexpr size_t kWidth = kVectors * kRealLanes;
  Real part[kVectors];

  Bundle() = default;
  explicit Bundle(double value) noexcept {
    for (size_t k = 0; k < kVectors; ++k) part[k] = splat(value);
  }
  explicit Bundle(const double* p) noexcept {
    for (size_t k = 0; k < kVectors; ++k) part[k] = load(p + k * kRealLanes);
  }
  void to(double* p) const noexcept {
    for (size_t k = 0; k < kVectors; ++k) store(p + k * kRealLanes, part[k]);
  }
};

template <size_t N, class Function>
inline Bundle<N> each(const Bundle<N>& u, Function function) noexcept {
  Bundle<N> w;
  RPSD_UNROLL
  for (size_t k = 0; k < N; ++k) w.part[k] = function(u.part[k]);
  return w;
}
template <size_t N, class Function>
inline Bundle<N> each(const Bundle<N>& u, const Bundle<N>& v, Function function) noexcept {
  Bundle<N> w;
  RPSD_UNROLL
  for (size_t k = 0; k < N; ++k) w.part[k] = function(u.part[k], v.part[k]);
  return w;
}

template <size_t N>
inline Bundle<N> operator+(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return a + b; });
}
template <size_t N>
inline Bundle<N> operator-(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return a - b; });
}
template <size_t N>
inline Bundle<N> operator*(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return a * b; });
}
template <size_t N>
inline Bundle<N> operator/(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return a / b; });
}
template <size_t N>
inline Bundle<N> larger(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return larger(a, b); });
}
template <size_t N>
inline Bundle<N> smaller(const Bundle<N>& u, const Bundle<N>& v) noexcept {
  return each(u, v, [](const Real& a, const Real& b) { return smaller(a, b); });
}
template <size_t N>
inline Bundle<N> square_root(const Bundle<N>& u) noexcept {
  return each(u, [](const Real& a) { return square_root(a); });
}
template <size_t N>
RPSD_ALWAYS_INLINE Bundle<N> exponential_within(const Bundle<N>& u) noexcept {
  Bundle<N> w;
  RPSD_UNROLL
  for (size_t k = 0; k < N; ++k) w.part[k] = exponential_within(u.part[k]);
  return w;
}
template <size_t N>
inline Bundle<N> select_positive(const Bundle<N>& condition, const Bundle<N>& yes, const Bundle<N>& no) noexcept {
  Bundle<N> w;
  RPSD_UNROLL
  for (size_t k = 0; k < N; ++k) w.part[k] = select_positive(condition.part[k], yes.part[k], no.part[k]);
  return w;
}

// A product of positive numbers that never leaves the range: its exponent is taken out at each factor.
template <size_t N>
struct Product {
  Bundle<N> mantissas, exponents;

  inline void times(const Bundle<N>& factor) noexcept {
    const Bundle<N> product = mantissas * factor;
    mantissas = each(product, [](const Real& a) { return mantissa(a); });
    exponents = exponents + each(product, [](const Real& a) { return exponent(a); });
  }
};

// Samples taken to lanes at a time.
constexpr size_t kLaneBlock = 32;

// z[i W + l] = series[l][begin + i] for i < n and W lanes.
template <size_t N>
inline void gather(const double* const* series, size_t begin, size_t n, double* z) noexcept {
  constexpr size_t L = kRealLanes, W = Bundle<N>::kWidth;
  for (size_t part = 0; part < W; part += L) {
    Real rows[L];
    size_t i = 0;
    for (; i + L <= n; i += L) {
      for (size_t l = 0; l < L; ++l) rows[l] = load(series[part + l] + begin + i);
      Transpose<L / 2, double>::run(rows);
      for (size_t l = 0; l < L; ++l) store(z + (i + l) * W + part, rows[l]);
    }
    for (; i < n; ++i)
      for (size_t l = 0; l < L; ++l) z[i * W + part + l] = series[part + l][begin + i];
  }
}

// The way back, for the lanes below count.
template <size_t N>
inline void scatter(const double* z, size_t begin, size_t n, size_t count, double* const* series) noexcept {
  constexpr size_t L = kRealLanes, W = Bundle<N>::kWidth;
  for (size_t part = 0; part < W; part += L) {
    const size_t lanes = count < part ? 0 : (count - part < L ? count - part : L);
    Real rows[L];
    size_t i = 0;
    for (; i + L <= n; i += L) {
      for (size_t l = 0; l < L; ++l) rows[l] = load(z + (i + l) * W + part);
      Transpose<L / 2, double>::run(rows);
      for (size_t l = 0; l < lanes; ++l) store(series[part + l] + begin + i, rows[l]);
    }
    for (; i < n; ++i)
      for (size_t l = 0; l < lanes; ++l) series[part + l][begin + i] = z[i * W + part + l];
  }
}

// Calls Body::run<N>(arguments) with as few vectors as hold `count` lanes.
template <class Body, class... Arguments>
inline void with_lanes(size_t count, Arguments&&... arguments) noexcept {
  constexpr size_t L = kRealLanes;
  if (count <= L || L == kBundle) return Body::template run<1>(arguments...);
  if constexpr (2 * L <= kBundle) {
    if (count <= 2 * L || 2 * L == kBundle) return Body::template run<2>(arguments...);
  }
  if constexpr (4 * L <= kBundle) Body::template run<4>(arguments...);
}

}  // namespace
