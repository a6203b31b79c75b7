// SPDX-License-Identifier: MIT
// Exact median of absolute values by selection, not sorting.
//
// Magnitudes of finite numbers order like their bit patterns, so all comparisons are on integers: exact with ties,
// zeros and denormals, and blind to the FTZ and DAZ modes of the caller. A round draws a small sample, brackets the
// wanted ranks between two of its order statistics (Floyd & Rivest 1975) and, in one pass without branches, counts
// what lies below the bracket and keeps what lies inside; the input is only read, and only once where the first
// bracket holds. Rounds are paid from a budget linear in n; what it does not settle ends in a bisection of bounded
// cost.
#pragma once

#include "compact.inl"

namespace {

template <class U>
struct SignedOf;
template <>
struct SignedOf<uint64_t> {
  using type = int64_t;
};
template <>
struct SignedOf<uint32_t> {
  using type = int32_t;
};

// The values of ranks k (from 0) and k + 1, or k twice.
template <class U>
struct Pair {
  U first, second;
};

// The values of ranks i <= j among N: the smallest that no more than N - 1 - i (or j) values exceed.
template <size_t N, class U>
inline Pair<U> order_statistics(const U* v, size_t i, size_t j) noexcept {
  using S = typename SignedOf<U>::type;
  constexpr size_t kGroup = 64 / sizeof(U);
  S value[N];
  for (size_t t = 0; t < N; ++t) value[t] = static_cast<S>(v[t]);
  const S over_i = static_cast<S>(N - 1 - i), over_j = static_cast<S>(N - 1 - j);
  S first[kGroup], second[kGroup];
  for (size_t t = 0; t < kGroup; ++t) first[t] = second[t] = static_cast<S>(kMagnitude<U>);
  for (size_t g = 0; g < N; g += kGroup) {
    S over[kGroup] = {};
    for (size_t s = 0; s < N; ++s)
      for (size_t t = 0; t < kGroup; ++t) over[t] += value[s] > value[g + t];
    for (size_t t = 0; t < kGroup; ++t) {
      first[t] = over[t] <= over_i && value[g + t] < first[t] ? value[g + t] : first[t];
      second[t] = over[t] <= over_j && value[g + t] < second[t] ? value[g + t] : second[t];
    }
  }
  for (size_t t = 1; t < kGroup; ++t) {
    if (first[t] < first[0]) first[0] = first[t];
    if (second[t] < second[0]) second[0] = second[t];
  }
  return {static_cast<U>(first[0]), static_cast<U>(second[0])};
}

// At most kSmall values: copied, and filled up with the largest.
constexpr size_t kSmall = 32;

template <class U>
inline Pair<U> select_few(const U* v, size_t n, size_t k, size_t next) noexcept {
  U few[kSmall];
  for (size_t t = 0; t < kSmall; ++t) few[t] = kMagnitude<U>;
  for (size_t t = 0; t < n; ++t) few[t] = magnitude(v + t);
  return n <= kSmall / 2 ? order_statistics<kSmall / 2>(few, k, next) : order_statistics<kSmall>(few, k, next);
}

// Bisection on the bits, each step moving an end onto a value that occurs: few steps where few values differ, and
// never more than one a bit. All of rank k lies in low..high.
template <class U>
U bisect(const U* v, size_t n, size_t k, U low, U high) noexcept {
  while (low < high) {
    const U middle = low + (high - low) / 2;
    size_t at_most = 0;
    U under = 0, over = kMagnitude<U>;
    for (size_t i = 0; i < n; ++i) {
      const U value = magnitude(v + i);
      const bool is_under = value <= middle;
      at_most += is_under;
      under = is_under && value > under ? value : under;
      over = !is_under && value < over ? value : over;
    }
    if (at_most > k)
      high = under;
    else
      low = over;
  }
  return low;
}

// Where sample number i of m is drawn: anywhere in its m-th of n, so that no period of the data meets it.
inline size_t sample_position(size_t i, size_t n, size_t m, uint32_t seed) noexcept {
  uint32_t hash = (static_cast<uint32_t>(i) + seed) * 0x9E3779B1u;
  hash = (hash ^ (hash >> 15)) * 0x85EBCA77u;
  const size_t stride = n / m;
  return i * stride + static_cast<size_t>((static_cast<uint64_t>(hash >> 8) * stride) >> 24);
}

constexpr size_t kManySample = 1024, kManyFrom = 16 * kManySample;

template <class U>
Pair<U> select(const U* x, size_t n, size_t k, size_t next, U* scratch) noexcept;

// Values of the sample between which ranks k and next lie, more surely with each attempt.
template <class U>
inline Pair<U> bracket(const U* v, size_t n, size_t k, size_t next, uint32_t attempt, uint32_t seed) noexcept {
  const bool many = n >= kManyFrom;
  const size_t m = many ? kManySample : kSmall;
  // The rank of a quantile in a sample of m deviates by sqrt(m) / 2 or less: 2.1 and 3 of these.
  const size_t margin = (many ? 48u : 6u) << attempt;
  const double share = static_cast<double>(m) / static_cast<double>(n);
  const size_t from = static_cast<size_t>(static_cast<double>(k) * share);
  const size_t to = static_cast<size_t>(static_cast<double>(next) * share) + margin;
  const size_t i = from > margin ? from - margin : 0, j = to < m ? to : m - 1;
  Pair<U> ends;
  if (many) {
    U sample[kManySample], kept[kManySample];
    for (size_t t = 0; t < m; ++t) sample[t] = magnitude(v + sample_position(t, n, m, seed));
    ends.first = select(sample, m, i, i, kept).first;
    ends.second = select(sample, m, j, j, kept).first;
  } else {
    U sample[kSmall];
    for (size_t t = 0; t < m; ++t) sample[t] = magnitude(v + sample_position(t, n, m, seed));
    ends = order_statistics<kSmall>(sample, i, j);
  }
  if (from <= margin) ends.first = 0;
  if (to >= m) ends.second = kMagnitude<U>;
  return ends;
}

// The values of ranks k and next (k or k + 1) of the magnitudes of x[0..n).
template <class U>
Pair<U> select(const U* x, size_t n, size_t k, size_t next, U* scratch) noexcept {
  const U* v = x;
  size_t count = n, rank = k, budget = 4 * n;
  const size_t further = next - k;
  U low = 0, high = kMagnitude<U>;
  uint32_t attempt = 0, seed = 0;
  while (count > kSmall) {
    const Pair<U> ends = bracket(v, count, rank, rank + further, attempt, seed);
    const Kept kept = compact(v, count, ends.first, ends.second, scratch);
    if (rank >= kept.below && rank + further < kept.below + kept.inside) {
      if (ends.first == ends.second) return ends;
      // Nothing left out: what remains has few values.
      if (kept.inside == count) budget = 0;
      v = scratch;
      budget -= count < budget ? count : budget;
      rank -= kept.below;
      count = kept.inside;
      low = ends.first;
      high = ends.second;
      attempt = 0;
    } else {
      // Missed: what the pass overwrote is kept again.
      if (v == scratch) compact(x, n, low, high, scratch);
      budget -= n < budget ? n : budget;
      ++attempt;
    }
    seed += kSmall;
    if (budget == 0)
      return {bisect(v, count, rank, low, high), bisect(v, count, rank + further, low, high)};
  }
  return select_few(v, count, rank, rank + further);
}

template <class T>
double median_abs(const T* x, size_t n, void* scratch) noexcept {
  using U = typename UintOf<T>::type;
  const Pair<U> middle =
      select(reinterpret_cast<const U*>(x), n, (n - 1) / 2, n / 2, static_cast<U*>(scratch));
  T a, b;
  memcpy(&a, &middle.first, sizeof a);
  memcpy(&b, &middle.second, sizeof b);
  if (middle.first == middle.second) return static_cast<double>(a);
  // Halved before adding only where the sum would overflow; as exact as the plain mean elsewhere.
  const double s = static_cast<double>(a) + static_cast<double>(b);
  return s <= 1.7976931348623157e308 ? s / 2 : static_cast<double>(a) / 2 + static_cast<double>(b) / 2;
}

}  // namespace
