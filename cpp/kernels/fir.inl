// SPDX-License-Identifier: MIT
// Direct FIR on lanes: a block of outputs is cut into L segments, one for each lane of a vector, and its samples are
// interleaved, so that every tap meets whole aligned vectors; contiguous loads at every offset would cross cache lines.
// Each output is summed in the order of the taps, wherever it lies.
#pragma once

namespace {

using rpsd::kernels::kFirSegment;

// A pointer of which the compiler knows nothing: it can neither keep samples from turn to turn of a loop, for which there
// are not enough registers, nor spread the few turns of a rest over vectors.
template <class T>
inline T* opaque(T* p) noexcept {
#if defined(__GNUC__)
  __asm__("" : "+r"(p));
#endif
  return p;
}

// A vector loaded once, where the compiler would load it again for each of two products.
template <class T>
inline Vec<T> load_once(const T* p) noexcept {
  Vec<T> v = load(p);
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
  __asm__("" : "+x"(v));
#elif defined(__GNUC__) && defined(__aarch64__)
  __asm__("" : "+w"(v));
#endif
  return v;
}

// Where the lanes' segments begin in a block of n outputs, each `length` long; the last ones overlap, and their common
// outputs come out twice alike.
template <class T>
struct Segments {
  size_t begin[kLanes<T>], length;

  explicit Segments(size_t n) noexcept : length((n + kLanes<T> - 1) / kLanes<T>) {
    for (size_t l = 0; l < kLanes<T>; ++l) begin[l] = l * length < n - length ? l * length : n - length;
  }
};

template <class T>
inline void interleave(const T* x, const Segments<T>& segments, size_t length, T* z) noexcept {
  constexpr size_t L = kLanes<T>;
  Vec<T> rows[L];
  size_t i = 0;
  for (; i + L <= length; i += L) {
    for (size_t l = 0; l < L; ++l) rows[l] = load(x + segments.begin[l] + i);
    Transpose<L / 2, T>::run(rows);
    for (size_t l = 0; l < L; ++l) store(z + (i + l) * L, rows[l]);
  }
  for (; i < length; ++i)
    for (size_t l = 0; l < L; ++l) z[i * L + l] = *opaque(x + segments.begin[l] + i);
}

template <class T>
inline void deinterleave(const T* z, const Segments<T>& segments, T* out) noexcept {
  constexpr size_t L = kLanes<T>;
  Vec<T> rows[L];
  size_t i = 0;
  for (; i + L <= segments.length; i += L) {
    for (size_t l = 0; l < L; ++l) rows[l] = load(z + (i + l) * L);
    Transpose<L / 2, T>::run(rows);
    for (size_t l = 0; l < L; ++l) store(out + segments.begin[l] + i, rows[l]);
  }
  for (; i < segments.length; ++i)
    for (size_t l = 0; l < L; ++l) *opaque(out + segments.begin[l] + i) = z[i * L + l];
}

// B output vectors. Two taps a turn: each sample is loaded once for both.
struct AnyTaps {
  template <size_t B, class T>
  static inline void run(const T* z, const T* taps, size_t n_taps, T* out) noexcept {
    constexpr size_t L = kLanes<T>;
    Vec<T> sum[B];
    for (size_t b = 0; b < B; ++b) sum[b] = load(z + b * L) * taps[0];
    size_t k = 1;
    for (; k + 2 <= n_taps; k += 2) {
      const T* const p = opaque(z + k * L);
      const T c0 = taps[k], c1 = taps[k + 1];
      Vec<T> v = load(p);
      for (size_t b = 0; b < B; ++b) {
        sum[b] = sum[b] + v * c0;
        v = load_once(p + (b + 1) * L);
        sum[b] = sum[b] + v * c1;
      }
    }
    if (k < n_taps)
      for (size_t b = 0; b < B; ++b) sum[b] = sum[b] + load(z + (k + b) * L) * taps[k];
    for (size_t b = 0; b < B; ++b) store(out + b * L, sum[b]);
  }
};

// The same for taps[k] = taps[n_taps - 1 - k]: the samples of equal taps are added first.
struct SymmetricTaps {
  template <size_t B, class T>
  static inline void run(const T* z, const T* taps, size_t n_taps, T* out) noexcept {
    constexpr size_t L = kLanes<T>;
    const size_t pairs = n_taps / 2, last = n_taps - 1;
    Vec<T> sum[B];
    for (size_t b = 0; b < B; ++b) sum[b] = (load(z + b * L) + load(z + (last + b) * L)) * taps[0];
    size_t k = 1;
    for (; k + 2 <= pairs; k += 2) {
      const T *const p = opaque(z + k * L), *const q = opaque(z + (last - k - 1) * L);
      const T c0 = taps[k], c1 = taps[k + 1];
      Vec<T> v = load(p), u = load(q);
      for (size_t b = 0; b < B; ++b) {
        const Vec<T> next_v = load_once(p + (b + 1) * L), next_u = load_once(q + (b + 1) * L);
        sum[b] = sum[b] + (v + next_u) * c0;
        sum[b] = sum[b] + (next_v + u) * c1;
        v = next_v;
        u = next_u;
      }
    }
    if (k < pairs)
      for (size_t b = 0; b < B; ++b)
        sum[b] = sum[b] + (load(z + (k + b) * L) + load(z + (last - k + b) * L)) * taps[k];
    if (n_taps % 2 != 0)
      for (size_t b = 0; b < B; ++b) sum[b] = sum[b] + load(z + (pairs + b) * L) * taps[pairs];
    for (size_t b = 0; b < B; ++b) store(out + b * L, sum[b]);
  }
};

template <class Taps, size_t B, class T>
inline void filter_blocks(const T* x, size_t n, const T* taps, size_t n_taps, T* out, T* scratch) noexcept {
  constexpr size_t L = kLanes<T>;
  T *const z = scratch, *const sums = scratch + (kFirSegment + n_taps - 1) * L;
  for (size_t i = 0; i < n; i += kFirSegment * L) {
    const Segments<T> segments(n - i < kFirSegment * L ? n - i : kFirSegment * L);
    interleave(x + i, segments, segments.length + n_taps - 1, z);
    if (segments.length < B)
      for (size_t j = 0; j < segments.length; ++j) Taps::template run<1>(z + j * L, taps, n_taps, sums + j * L);
    else
      for (size_t j = 0; j < segments.length; j += B) {
        // The last B outputs may begin among the ones before, rather than come one by one.
        const size_t at = (j + B <= segments.length ? j : segments.length - B) * L;
        Taps::template run<B>(z + at, taps, n_taps, sums + at);
      }
    deinterleave(sums, segments, out + i);
  }
}

template <class T>
void fir(const T* x, size_t n, const T* taps, size_t n_taps, T* out, T* scratch) noexcept {
  filter_blocks<AnyTaps, 8>(x, n, taps, n_taps, out, scratch);
}

template <class T>
void fir_symmetric(const T* x, size_t n, const T* taps, size_t n_taps, T* out, T* scratch) noexcept {
  filter_blocks<SymmetricTaps, 8>(x, n, taps, n_taps, out, scratch);
}

}  // namespace
