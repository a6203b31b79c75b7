// SPDX-License-Identifier: MIT
// One pass over bit patterns: count the magnitudes below a range, keep those inside it. No branch on data.
#pragma once

#if defined(RPSD_ISA_V3) || defined(RPSD_ISA_V4)
#include <immintrin.h>
#endif

namespace {

template <class U>
constexpr U kMagnitude = static_cast<U>(~static_cast<U>(0)) >> 1;

// Read as bytes: x may point at floating-point numbers.
template <class U>
inline U magnitude(const U* x) noexcept {
  U bits;
  memcpy(&bits, x, sizeof bits);
  return bits & kMagnitude<U>;
}

struct Kept {
  size_t below, inside;
};

// A step of the passes below: whole vectors from x[i] on; returns where it stopped. None without vectors.
template <class U>
inline size_t compact_vectors(const U*, size_t, U, U, U*, Kept&) noexcept {
  return 0;
}

#if defined(RPSD_ISA_V4)

template <>
inline size_t compact_vectors<uint64_t>(const uint64_t* x, size_t n, uint64_t low, uint64_t high, uint64_t* out,
                                        Kept& kept) noexcept {
  const __m512i mask = _mm512_set1_epi64(static_cast<long long>(kMagnitude<uint64_t>));
  const __m512i from = _mm512_set1_epi64(static_cast<long long>(low));
  const __m512i to = _mm512_set1_epi64(static_cast<long long>(high));
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m512i v = _mm512_and_si512(_mm512_loadu_si512(x + i), mask);
    const unsigned below = _mm512_cmplt_epu64_mask(v, from);
    const unsigned inside = ~below & _mm512_cmple_epu64_mask(v, to);
    _mm512_storeu_si512(out + kept.inside, _mm512_maskz_compress_epi64(static_cast<__mmask8>(inside), v));
    kept.below += static_cast<size_t>(_mm_popcnt_u32(below));
    kept.inside += static_cast<size_t>(_mm_popcnt_u32(inside));
  }
  return i;
}

template <>
inline size_t compact_vectors<uint32_t>(const uint32_t* x, size_t n, uint32_t low, uint32_t high, uint32_t* out,
                                        Kept& kept) noexcept {
  const __m512i mask = _mm512_set1_epi32(static_cast<int>(kMagnitude<uint32_t>));
  const __m512i from = _mm512_set1_epi32(static_cast<int>(low));
  const __m512i to = _mm512_set1_epi32(static_cast<int>(high));
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512i v = _mm512_and_si512(_mm512_loadu_si512(x + i), mask);
    const unsigned below = _mm512_cmplt_epu32_mask(v, from);
    const unsigned inside = ~below & _mm512_cmple_epu32_mask(v, to);
    _mm512_storeu_si512(out + kept.inside, _mm512_maskz_compress_epi32(static_cast<__mmask16>(inside), v));
    kept.below += static_cast<size_t>(_mm_popcnt_u32(below));
    kept.inside += static_cast<size_t>(_mm_popcnt_u32(inside));
  }
  return i;
}

#elif defined(RPSD_ISA_V3)

// For each set of lanes the 32-bit lanes that bring them to the front, one byte each.
template <size_t kLaneCount>
struct FrontLanes {
  static constexpr size_t kWords = 8 / kLaneCount;
  uint8_t of[1u << kLaneCount][8];
  constexpr FrontLanes() : of() {
    for (unsigned set = 0; set < 1u << kLaneCount; ++set) {
      size_t place = 0;
      for (size_t lane = 0; lane < kLaneCount; ++lane)
        if (set >> lane & 1)
          for (size_t word = 0; word < kWords; ++word) of[set][place++] = static_cast<uint8_t>(lane * kWords + word);
    }
  }
};
constexpr FrontLanes<4> kFront4;
constexpr FrontLanes<8> kFront8;

inline __m256i to_front(__m256i v, const uint8_t* lanes) noexcept {
  return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(lanes))));
}

template <>
inline size_t compact_vectors<uint64_t>(const uint64_t* x, size_t n, uint64_t low, uint64_t high, uint64_t* out,
                                        Kept& kept) noexcept {
  // Magnitudes are positive as signed numbers too, which is how AVX2 compares.
  const __m256i mask = _mm256_set1_epi64x(static_cast<long long>(kMagnitude<uint64_t>));
  const __m256i from = _mm256_set1_epi64x(static_cast<long long>(low));
  const __m256i to = _mm256_set1_epi64x(static_cast<long long>(high));
  __m256i minus_below = _mm256_setzero_si256();
  size_t i = 0, place = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i v = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)), mask);
    const __m256i below = _mm256_cmpgt_epi64(from, v);
    const __m256i outside = _mm256_or_si256(below, _mm256_cmpgt_epi64(v, to));
    const unsigned inside = static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(outside))) ^ 0xFu;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + place), to_front(v, kFront4.of[inside]));
    place += static_cast<size_t>(_mm_popcnt_u32(inside));
    minus_below = _mm256_add_epi64(minus_below, below);
  }
  uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), minus_below);
  kept.below -= static_cast<size_t>(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
  kept.inside = place;
  return i;
}

template <>
inline size_t compact_vectors<uint32_t>(const uint32_t* x, size_t n, uint32_t low, uint32_t high, uint32_t* out,
                                        Kept& kept) noexcept {
  const __m256i mask = _mm256_set1_epi32(static_cast<int>(kMagnitude<uint32_t>));
  const __m256i from = _mm256_set1_epi32(static_cast<int>(low));
  const __m256i to = _mm256_set1_epi32(static_cast<int>(high));
  size_t i = 0, place = 0, total = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i v = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)), mask);
    const __m256i below = _mm256_cmpgt_epi32(from, v);
    const __m256i outside = _mm256_or_si256(below, _mm256_cmpgt_epi32(v, to));
    const unsigned inside = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(outside))) ^ 0xFFu;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + place), to_front(v, kFront8.of[inside]));
    place += static_cast<size_t>(_mm_popcnt_u32(inside));
    total += static_cast<size_t>(
        _mm_popcnt_u32(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(below)))));
  }
  kept = {total, place};
  return i;
}

#endif

// Counts of the magnitudes of x[0..n) below low and in low..high; the latter go to the front of out, in order.
// out holds n values, of which any may be overwritten, and may be x: writing never overtakes reading.
template <class U>
inline Kept compact(const U* x, size_t n, U low, U high, U* out) noexcept {
  Kept kept = {0, 0};
  const U width = static_cast<U>(high - low);
  size_t i = compact_vectors<U>(x, n, low, high, out, kept);
  size_t below = kept.below, inside = kept.inside;
  for (; i < n; ++i) {
    const U value = magnitude(x + i);
    out[inside] = value;
    inside += static_cast<U>(value - low) <= width;
    below += value < low;
  }
  return {below, inside};
}

}  // namespace
