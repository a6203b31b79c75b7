// SPDX-License-Identifier: MIT
// L vectors of L lanes transposed in registers.
#pragma once

namespace {

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

}  // namespace
