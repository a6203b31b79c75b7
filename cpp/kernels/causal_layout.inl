// SPDX-License-Identifier: MIT
// Two layouts of the causal denoiser. One series (V is double): lanes are filters, components or chains. A tile (V is a
// vector): lanes are series, so that nothing waits for one chain of operations, and what is scalar there costs no more
// than a vector here. Both do the same operations in the same order on every series, hence the same bits.
#pragma once

namespace {

using rpsd::kernels::CausalState;
using rpsd::kernels::CausalStateOf;
using rpsd::kernels::kChains;
using rpsd::kernels::kFilters;
using rpsd::kernels::kKinds;

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
constexpr double kHalfBit = 0.7213475204444817;  // log2(e) / 2: half squares to bits
constexpr double kLeastPower = -900;  // 2^-900 times what matters is negligible, and no denormal number, which would be slow

// Choices as in the vectors'.
inline double select_positive(double condition, double yes, double no) noexcept { return condition > 0 ? yes : no; }
inline double larger(double u, double v) noexcept { return u > v ? u : v; }
inline double smaller(double u, double v) noexcept { return u < v ? u : v; }
inline double square_root(double v) noexcept { return sqrt(v); }

template <size_t N>
RPSD_ALWAYS_INLINE Bundle<N> power_of_two(const Bundle<N>& u) noexcept {
  return each(u, [](const Real& a) { return power_of_two(a); });
}
template <size_t N>
RPSD_ALWAYS_INLINE Bundle<N> binary_logarithm(const Bundle<N>& u) noexcept {
  return each(u, [](const Real& a) { return binary_logarithm(a); });
}

template <class V>
struct Layout;

template <>
struct Layout<double> {
  // Eight filters; the chains, which vectors that are wider hold twice.
  using Part = Samples;
  using Quad = Bundle<(kChains + kRealLanes - 1) / kRealLanes>;
  static constexpr size_t kAtOnce = kBundle, kLagParts = 1;

  static inline double constant(double v) noexcept { return v; }
  static inline bool any_positive(double v) noexcept { return v > 0; }

  static inline Part get(const double* p) noexcept { return Part(p); }
  static inline void put(const Part& part, double* p) noexcept { part.to(p); }
  static inline Part table(const double* p) noexcept { return Part(p); }
  static inline Part all(double v) noexcept { return Part(v); }

  static inline Quad chains(const double* p) noexcept {
    if constexpr (kRealLanes <= kChains) return Quad(p);
    double lanes[2 * kChains];
    memcpy(lanes, p, kChains * sizeof(double));
    memcpy(lanes + kChains, p, kChains * sizeof(double));
    return Quad(lanes);
  }
  static inline void put_chains(const Quad& quad, double* p) noexcept {
    if constexpr (kRealLanes <= kChains) return quad.to(p);
    double lanes[Quad::kWidth];
    quad.to(lanes);
    memcpy(p, lanes, kChains * sizeof(double));
  }
  static inline Quad chain_table(const double* p) noexcept { return chains(p); }
  static inline Quad all_chains(double v) noexcept { return Quad(v); }

  // Eight values of the lag at a time: the chains of two samples.
  static inline void lag_parts(const Quad& quad, Part* parts) noexcept {
    double lanes[Quad::kWidth + kBundle];
    for (size_t c = 0; c < kBundle; c += Quad::kWidth) quad.to(lanes + c);
    parts[0] = Part(lanes);
  }

  // term(i) is that of the eight filters from i on.
  template <class Term>
  static inline double over_filters(Term term) noexcept {
    static_assert(kFilters == 3 * kBundle, "three bundles");
    return fold(term(size_t{0}) + term(kBundle) + term(2 * kBundle));
  }
  static inline double largest(const Part& part) noexcept {
    double lanes[kBundle];
    part.to(lanes);
    double top = lanes[0];
    for (const double v : lanes) top = larger(v, top);
    return top;
  }

  template <size_t N>
  static inline void powers_of_two(double (&v)[N]) noexcept {
    on_lanes(v, [](const Real& a) { return power_of_two(a); });
  }
  template <size_t N>
  static inline void binary_logarithms(double (&v)[N]) noexcept {
    on_lanes(v, [](const Real& a) { return binary_logarithm(a); });
  }

 private:
  template <size_t N, class Function>
  static inline void on_lanes(double (&v)[N], Function function) noexcept {
    constexpr size_t kVectors = (N + kRealLanes - 1) / kRealLanes;
    double lanes[kVectors * kRealLanes];
    for (size_t k = 0; k < kVectors * kRealLanes; ++k) lanes[k] = v[k < N ? k : 0];
    for (size_t p = 0; p < kVectors; ++p) store(lanes + p * kRealLanes, function(load(lanes + p * kRealLanes)));
    memcpy(v, lanes, sizeof v);
  }
};

template <>
struct Layout<Real> {
  // One filter; four chains.
  using Part = Bundle<1>;
  using Quad = Bundle<kChains>;
  static constexpr size_t kAtOnce = 1, kLagParts = kChains;

  static inline Real constant(double v) noexcept { return splat(v); }
  static inline bool any_positive(const Real& v) noexcept {
    double lanes[kRealLanes];
    store(lanes, v);
    bool any = false;
    for (const double lane : lanes) any |= lane > 0;
    return any;
  }

  static inline Part get(const Real* p) noexcept { return all(*p); }
  static inline void put(const Part& part, Real* p) noexcept { *p = part.part[0]; }
  static inline Part table(const double* p) noexcept { return Part(*p); }
  static inline Part all(const Real& v) noexcept {
    Part part;
    part.part[0] = v;
    return part;
  }

  static inline Quad chains(const Real* p) noexcept {
    Quad quad;
    for (size_t c = 0; c < kChains; ++c) quad.part[c] = p[c];
    return quad;
  }
  static inline void put_chains(const Quad& quad, Real* p) noexcept {
    for (size_t c = 0; c < kChains; ++c) p[c] = quad.part[c];
  }
  static inline Quad chain_table(const double* p) noexcept {
    Quad quad;
    for (size_t c = 0; c < kChains; ++c) quad.part[c] = splat(p[c]);
    return quad;
  }
  static inline Quad all_chains(const Real& v) noexcept {
    Quad quad;
    for (Real& part : quad.part) part = v;
    return quad;
  }

  static inline void lag_parts(const Quad& quad, Part* parts) noexcept {
    for (size_t c = 0; c < kChains; ++c) parts[c] = all(quad.part[c]);
  }

  // As fold() adds up the lanes of bundles.
  template <class Term>
  static inline Real over_filters(Term term) noexcept {
    Real lanes[kBundle];
    for (size_t k = 0; k < kBundle; ++k) lanes[k] = (term(k) + term(kBundle + k) + term(2 * kBundle + k)).part[0];
    for (size_t half = kBundle / 2; half > 0; half /= 2)
      for (size_t k = 0; k < half; ++k) lanes[k] = lanes[k] + lanes[k + half];
    return lanes[0];
  }
  static inline Real largest(const Part& part) noexcept { return part.part[0]; }

  template <size_t N>
  static inline void powers_of_two(Real (&v)[N]) noexcept {
    for (Real& a : v) a = power_of_two(a);
  }
  template <size_t N>
  static inline void binary_logarithms(Real (&v)[N]) noexcept {
    for (Real& a : v) a = binary_logarithm(a);
  }
};

template <class V>
inline V clip(const V& v, double least, double most) noexcept {
  return smaller(Layout<V>::constant(most), larger(v, Layout<V>::constant(least)));
}
template <class V>
inline V larger_than_zero(const V& v) noexcept {
  return larger(v, Layout<V>::constant(0));
}

inline double power_of_two(double x) noexcept {
  double v[1] = {x};
  Layout<double>::powers_of_two(v);
  return v[0];
}

}  // namespace
