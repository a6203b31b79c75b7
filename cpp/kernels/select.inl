// SPDX-License-Identifier: MIT
// Exact median of absolute values by selection, not sorting.
//
// Magnitudes of finite numbers order like their bit patterns, so all comparisons are on integers: exact with ties,
// zeros and denormals, and blind to the FTZ and DAZ modes of the caller. A round draws a small strided sample,
// brackets the wanted rank between two of its order statistics (Floyd & Rivest 1975) and keeps what lies in the
// bracket, branch-free. A round that keeps too much is followed by bisection on the bits, whose cost is bounded
// by 64 passes whatever the data.
#pragma once

namespace {

template <class U>
inline void insertion_sort(U* s, size_t n) noexcept {
  for (size_t i = 1; i < n; ++i) {
    const U v = s[i];
    size_t j = i;
    for (; j > 0 && s[j - 1] > v; --j) s[j] = s[j - 1];
    s[j] = v;
  }
}

// The k-th smallest (from 0) by bisection on the value: at most one pass a bit.
template <class U>
U select_by_bisection(const U* v, size_t n, size_t k) noexcept {
  U low = 0, high = static_cast<U>(~static_cast<U>(0)) >> 1;
  while (low < high) {
    const U middle = low + (high - low) / 2;
    size_t at_most = 0;
    for (size_t i = 0; i < n; ++i) at_most += v[i] <= middle;
    if (at_most > k)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// The k-th smallest (from 0) of v[0..n); v is overwritten.
template <class U>
U select(U* v, size_t n, size_t k) noexcept {
  constexpr size_t kSmall = 32, kSample = 128, kMargin = 13;
  while (n > kSmall) {
    U sample[kSample];
    const size_t m = n < 4 * kSample ? n / 4 : kSample;
    const size_t stride = n / m;
    for (size_t i = 0; i < m; ++i) sample[i] = v[i * stride];
    insertion_sort(sample, m);
    // kMargin is 2.3 standard deviations of the sample rank at the median of kSample draws.
    const size_t centre = static_cast<size_t>(static_cast<double>(k) / static_cast<double>(n) * static_cast<double>(m));
    const size_t margin = 1 + kMargin * m / kSample;
    const U low = centre > margin ? sample[centre - margin] : 0;
    const U high = centre + margin < m ? sample[centre + margin] : static_cast<U>(~static_cast<U>(0)) >> 1;
    size_t below = 0, inside = 0;
    for (size_t i = 0; i < n; ++i) {
      const U value = v[i];
      below += value < low;
      inside += (value >= low) & (value <= high);
    }
    const bool bracketed = k >= below && k < below + inside;
    if (!bracketed || inside > n - n / 4) return low == high && bracketed ? low : select_by_bisection(v, n, k);
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
      const U value = v[i];
      v[kept] = value;
      kept += (value >= low) & (value <= high);
    }
    n = kept;
    k -= below;
  }
  insertion_sort(v, n);
  return v[k];
}

template <class T>
double median_abs(const T* x, size_t n, void* scratch) noexcept {
  using U = typename UintOf<T>::type;
  constexpr U kMagnitude = static_cast<U>(~static_cast<U>(0)) >> 1;
  U* v = static_cast<U*>(scratch);
  for (size_t i = 0; i < n; ++i) {
    U bits;
    memcpy(&bits, x + i, sizeof bits);
    v[i] = bits & kMagnitude;
  }
  const U lower = select(v, n, (n - 1) / 2);
  U upper = lower;
  if (n % 2 == 0) {
    // The other middle value is the same where ties reach it, else the smallest of those above.
    size_t at_most = 0;
    U above = kMagnitude;
    for (size_t i = 0; i < n; ++i) {
      U bits;
      memcpy(&bits, x + i, sizeof bits);
      bits &= kMagnitude;
      at_most += bits <= lower;
      above = bits > lower && bits < above ? bits : above;
    }
    if (at_most <= n / 2) upper = above;
  }
  T a, b;
  memcpy(&a, &lower, sizeof a);
  memcpy(&b, &upper, sizeof b);
  if (lower == upper) return static_cast<double>(a);
  // Halved before adding only where the sum would overflow; as exact as the plain mean elsewhere.
  const double s = static_cast<double>(a) + static_cast<double>(b);
  return s <= 1.7976931348623157e308 ? s / 2 : static_cast<double>(a) / 2 + static_cast<double>(b) / 2;
}

}  // namespace
