// SPDX-License-Identifier: MIT
// Exact median of absolute values by selection, not sorting.
//
// Magnitudes of finite numbers order like their bit patterns, so all comparisons are on integers: exact with ties,
// zeros and denormals, and blind to the FTZ and DAZ modes of the caller. A round draws a small sample, brackets the
// wanted ranks between two of its order statistics (Floyd & Rivest 1975) and, in one pass without branches, counts
// what lies below the bracket and keeps what lies inside; the input is only read, and only once where the first
// bracket holds. Ends that many values share are counted by themselves and left out. Rounds are paid from a budget
// linear in n; what it does not settle ends in a bisection of bounded cost.
#pragma once

#include <math.h>

#include "compact.inl"

namespace {

// The values of ranks k (from 0) and k + 1, or k twice.
template <class U>
struct Pair {
  U first, second;
};

// over[t] = how many of v[0..N) exceed v[t].
#if defined(__GNUC__)
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

template <class L, size_t kBytes>
struct LanesOf {
  typedef L type __attribute__((vector_size(kBytes)));
};

// Minus one where u exceeds v, which as magnitudes are positive with a sign too. SSE2 has no order of 64-bit lanes:
// there the sign of the difference tells.
template <class V>
inline V minus_exceeds(const V& u, const V& v) noexcept {
#if defined(__SSE2__) && !defined(__SSE4_2__)
  if constexpr (sizeof(u[0]) == 8) {
    using W = typename LanesOf<uint64_t, sizeof(V)>::type;
    return -(V)((W)(v - u) >> 63);
  }
#endif
  return u > v;
}

template <size_t N, class U>
inline void count_over(const U* v, U* over) noexcept {
  constexpr size_t kHalf = N * sizeof(U) / 2, kBytes = kHalf < RPSD_VEC_BYTES ? kHalf : RPSD_VEC_BYTES;
  using S = typename SignedOf<U>::type;
  using V = typename LanesOf<S, kBytes>::type;
  constexpr size_t kWidth = kBytes / sizeof(U);
  for (size_t g = 0; g < N; g += 2 * kWidth) {
    V near, far, over_near = {}, over_far = {};
    memcpy(&near, v + g, sizeof near);
    memcpy(&far, v + g + kWidth, sizeof far);
#pragma GCC unroll 8
    for (size_t s = 0; s < N; ++s) {
      const V other = V{} + static_cast<S>(v[s]);
      over_near -= minus_exceeds(other, near);
      over_far -= minus_exceeds(other, far);
    }
    memcpy(over + g, &over_near, sizeof over_near);
    memcpy(over + g + kWidth, &over_far, sizeof over_far);
  }
}
#else
template <size_t N, class U>
inline void count_over(const U* v, U* over) noexcept {
  for (size_t t = 0; t < N; ++t) over[t] = 0;
  for (size_t s = 0; s < N; ++s)
    for (size_t t = 0; t < N; ++t) over[t] += static_cast<U>(v[t] - v[s]) >> (8 * sizeof(U) - 1);
}
#endif

// Counts that are ranked at once; the samples, the larger from kLarge on; the places around a sample's centre that
// only a tie makes equal; and the passes over n values after which selection gives way to bisection.
constexpr size_t kFewer = 16, kFew = 32, kSample = 32, kLargeSample = 1024, kLarge = 32 * kLargeSample, kTied = 2,
                 kPasses = 8;

// Values by the place each takes in the descending order of their keys; equal keys share the first of their places.
template <size_t N, class U>
struct Ranked {
  static constexpr U kEmpty = static_cast<U>(~static_cast<U>(0));
  U at[N];

  template <class K>
  inline void rank(const K* key, const U* v) noexcept {
    K over[N];
    count_over<N>(key, over);
    for (size_t t = 0; t < N; ++t) at[t] = kEmpty;
    for (size_t t = 0; t < N; ++t) at[over[t]] = v[t];
  }

  inline U operator[](size_t k) const noexcept {
    size_t t = N - 1 - k;
    while (at[t] == kEmpty) --t;
    return at[t];
  }
};

// At most N values, copied and filled up with the largest.
template <size_t N, class U>
inline Pair<U> select_few(const U* v, size_t n, size_t k, size_t next) noexcept {
  U few[N];
  for (size_t t = 0; t < N; ++t) few[t] = kMagnitude<U>;
  for (size_t t = 0; t < n; ++t) few[t] = magnitude(v + t);
  Ranked<N, U> ranked;
  ranked.rank(few, few);
  return {ranked[k], ranked[next]};
}

// Bisection on the bits, each step moving an end onto a value that occurs: few steps where few values differ, and
// never more than one a bit. The values of ranks k and next lie in low..high.
template <class U>
Pair<U> bisect(const U* v, size_t n, size_t k, size_t next, U low, U high) noexcept {
  while (low < high) {
    const U middle = low + (high - low) / 2;
    U under = 0, over = kMagnitude<U>;
    size_t at_most = 0;
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
  if (next == k) return {low, low};
  // The next value is equal, or the smallest above.
  size_t at_most = 0;
  U above = kMagnitude<U>;
  for (size_t i = 0; i < n; ++i) {
    const U value = magnitude(v + i);
    at_most += value <= low;
    above = value > low && value < above ? value : above;
  }
  return {low, at_most > next ? low : above};
}

// Of the values next to c: the largest below it, the smallest above, where there are any.
template <class U>
inline Pair<U> neighbours(const U* v, size_t n, U c) noexcept {
  // Distances less one; those on the other side wrap around to beyond all magnitudes.
  U to_under = static_cast<U>(~static_cast<U>(0)), to_over = to_under;
  for (size_t i = 0; i < n; ++i) {
    const U over = static_cast<U>(magnitude(v + i) - c - 1), under = static_cast<U>(c - magnitude(v + i) - 1);
    to_over = over < to_over ? over : to_over;
    to_under = under < to_under ? under : to_under;
  }
  return {static_cast<U>(c - to_under - 1), static_cast<U>(c + to_over + 1)};
}

// Counts what is tied at c: true where that settles ranks k and next. Else both lie on one side of c, and the bracket
// is cut to it; where c was its other end, it goes on to the end of all that is left.
template <class U>
inline bool settle(const U* v, size_t n, size_t k, size_t next, U c, Pair<U> all, U& low, U& high,
                   Pair<U>& found) noexcept {
  constexpr size_t kBlock = size_t{1} << 20;  // whose counts a lane of U holds
  size_t under = 0, through = 0;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t end = n - begin < kBlock ? n : begin + kBlock;
    U below = 0, equal = 0;
    for (size_t i = begin; i < end; ++i) {
      const U up = static_cast<U>(magnitude(v + i) - c);
      below += up >> (8 * sizeof(U) - 1);
      equal += up == 0;
    }
    under += below;
    through += below + equal;
  }
  if (k >= through) {
    low = low > c ? low : c + 1;
    if (high < low) high = all.second;
    return false;
  }
  if (next < under) {
    high = high < c ? high : c - 1;
    if (high < low) low = all.first;
    return false;
  }
  found = {c, c};
  if (k < under) found.first = neighbours(v, n, c).first;
  if (next >= through) found.second = neighbours(v, n, c).second;
  return true;
}

// sample[t]: a value from the t-th m-th of v, at a place within it that no period of the data keeps meeting.
template <class U>
inline void draw(const U* v, size_t n, size_t m, uint32_t seed, U* sample) noexcept {
  constexpr uint32_t kGolden = 0x9E3779B1u;
  const size_t stride = n / m;
  uint32_t share = seed * kGolden;
  for (size_t t = 0; t < m; ++t, v += stride, share += kGolden)
    sample[t] = magnitude(v + ((static_cast<uint64_t>(share >> 16) * stride) >> 16));
}

template <class U>
Pair<U> select(const U* x, size_t n, size_t k, size_t next, U* scratch) noexcept;

// Where to look, and which ends are values that many of the sample have.
template <class U>
struct Bracket {
  U first, second;
  bool first_tied, second_tied;
};

// An end that takes as much of the sample as lies between the ends by chance is best left out of the bracket.
template <class U>
inline void note_ties(const U* sample, size_t m, size_t margin, Bracket<U>& ends) noexcept {
  U first = 0, second = 0;
  for (size_t t = 0; t < m; ++t) {
    first += sample[t] == ends.first;
    second += sample[t] == ends.second;
  }
  ends.first_tied = ends.first < ends.second && first >= margin;
  ends.second_tied = ends.first < ends.second && second >= margin;
}

// Where to look for ranks k and next among n values, by a sample, wider with each attempt.
template <class U>
inline Bracket<U> bracket_by_sample(const U* v, size_t n, size_t k, size_t next, uint32_t attempt) noexcept {
  const bool large = n >= kLarge;
  const size_t m = large ? kLargeSample : kSample;
  // The rank of a quantile in a sample of m deviates by sqrt(m) / 2 or less: 2.1 and 3 of these.
  const size_t margin = (large ? 48u : 6u) << attempt;
  const double share = static_cast<double>(m) / static_cast<double>(n);
  const size_t from = static_cast<size_t>(static_cast<double>(k) * share);
  const size_t to = static_cast<size_t>(static_cast<double>(next) * share) + margin;
  const size_t i = from > margin ? from - margin : 0, j = to < m ? to : m - 1;
  Bracket<U> ends = {};
  if (large) {
    U sample[kLargeSample], kept[kLargeSample];
    draw(v, n, m, attempt, sample);
    ends.first = select(sample, m, i, i, kept).first;
    ends.second = select(sample, m, j, j, kept).first;
    note_ties(sample, m, margin, ends);
  } else {
    U sample[kSample];
    uint32_t key[kSample];
    draw(v, n, m, attempt, sample);
    for (size_t t = 0; t < m; ++t)
      key[t] = static_cast<uint32_t>(sample[t] >> (8 * (sizeof(U) - sizeof(uint32_t))));
    // The upper half of the bits tells most data apart; the second attempt asks for all.
    Ranked<kSample, U> ranked;
    if (attempt == 0) {
      ranked.rank(key, sample);
      // A value that takes so much of the sample is likely to hold both ranks, alone.
      const U centre = ranked[from + kTied < m ? from + kTied : m - 1];
      if (centre == ranked[from > kTied ? from - kTied : 0]) return {centre, centre, false, false};
    } else {
      ranked.rank(sample, sample);
    }
    ends.first = ranked[i];
    ends.second = ranked[j];
    if (ends.first > ends.second) ends = {ends.second, ends.first, false, false};
    note_ties(sample, m, margin, ends);
  }
  if (from <= margin) ends.first = 0, ends.first_tied = false;
  if (to >= m) ends.second = kMagnitude<U>, ends.second_tied = false;
  return ends;
}

// The same by interpolation among the n of all values that lie in low..high. Were these uniform, a rank would deviate
// by sqrt(n) / 2 or less, of which two are allowed for; the rest is for a density that varies over the range.
template <class U>
inline Bracket<U> bracket_by_place(size_t n, size_t all, size_t k, size_t next, U low, U high) noexcept {
  const double count = static_cast<double>(n);
  const double margin = 1 + sqrt(count) + count * count / (6 * static_cast<double>(all));
  const U range = high - low;
  const double rank_width = static_cast<double>(range) / count;
  const double from = (static_cast<double>(k) - margin) * rank_width;
  const double to = (static_cast<double>(next) + margin) * rank_width;
  const double end = static_cast<double>(range);
  return {from > 0 ? low + static_cast<U>(from) : low, to < end ? low + static_cast<U>(to) : high, false,
          false};
}

// The values of ranks k and next (k or k + 1) of the magnitudes of x[0..n).
template <class U>
Pair<U> select(const U* x, size_t n, size_t k, size_t next, U* scratch) noexcept {
  if (n <= kFewer) return select_few<kFewer>(x, n, k, next);
  if (n <= kFew) return select_few<kFew>(x, n, k, next);
  const U* v = x;
  size_t count = n, rank = k, spent = 0;
  const size_t further = next - k;
  U low = 0, high = kMagnitude<U>;
  uint32_t attempt = 0;
  bool by_place = false, stuck = false;
  while (count > kFewer) {
    Bracket<U> ends = by_place ? bracket_by_place(count, n, rank, rank + further, low, high)
                               : bracket_by_sample(v, count, rank, rank + further, attempt);
    Pair<U> found;
    const U tied[] = {ends.first, ends.second};
    const bool is_tied[] = {ends.first_tied, ends.second_tied};
    for (size_t end = 0; end < 2; ++end) {
      if (!is_tied[end]) continue;
      spent += count;
      if (settle(v, count, rank, rank + further, tied[end], {low, high}, ends.first, ends.second, found)) return found;
    }
    U* out = scratch;
    if (v != x) {
      // Behind what is being read where there is room, for a miss to lose nothing.
      const size_t at = static_cast<size_t>(v - scratch);
      out += at + 2 * count <= n ? at + count : at;
    }
    const Kept kept = compact(v, count, ends.first, ends.second, out);
    spent += count;
    if (rank >= kept.below && rank + further < kept.below + kept.inside) {
      if (ends.first == ends.second) return {ends.first, ends.first};
      stuck = kept.inside == count;
      v = out;
      rank -= kept.below;
      count = kept.inside;
      // The bracket may reach beyond what an earlier one kept.
      low = ends.first > low ? ends.first : low;
      high = ends.second < high ? ends.second : high;
      attempt = 0;
      by_place = true;
    } else {
      if (v == out) {
        compact(x, n, low, high, scratch);
        spent += n;
        v = scratch;
      }
      attempt += !by_place;
      by_place = false;
    }
    if (count <= kFew && (stuck || !by_place)) return select_few<kFew>(v, count, rank, rank + further);
    // Few values that each occur often, or data made to mislead.
    if (stuck || spent > kPasses * n) return bisect(v, count, rank, rank + further, low, high);
  }
  return select_few<kFewer>(v, count, rank, rank + further);
}

template <class T>
double median_abs(const T* x, size_t n, void* scratch) noexcept {
  using U = typename UintOf<T>::type;
  const Pair<U> middle = select(reinterpret_cast<const U*>(x), n, (n - 1) / 2, n / 2, static_cast<U*>(scratch));
  T a, b;
  memcpy(&a, &middle.first, sizeof a);
  memcpy(&b, &middle.second, sizeof b);
  if (middle.first == middle.second) return static_cast<double>(a);
  // Halved before adding only where the sum would overflow; as exact as the plain mean elsewhere.
  const double s = static_cast<double>(a) + static_cast<double>(b);
  return s <= 1.7976931348623157e308 ? s / 2 : static_cast<double>(a) / 2 + static_cast<double>(b) / 2;
}

}  // namespace
