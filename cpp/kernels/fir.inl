// SPDX-License-Identifier: MIT
// Direct FIR: four vectors of outputs a block, taps outermost, so that each tap is loaded once a block.
#pragma once

namespace {

template <class T>
void fir(const T* x, size_t n, const T* taps, size_t n_taps, T* out) noexcept {
  constexpr size_t L = kLanes<T>;
  size_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) {
    const T* p = x + i;
    Vec<T> s0 = load(p) * taps[0], s1 = load(p + L) * taps[0];
    Vec<T> s2 = load(p + 2 * L) * taps[0], s3 = load(p + 3 * L) * taps[0];
    for (size_t k = 1; k < n_taps; ++k) {
      const T c = taps[k];
      ++p;
      s0 = s0 + load(p) * c;
      s1 = s1 + load(p + L) * c;
      s2 = s2 + load(p + 2 * L) * c;
      s3 = s3 + load(p + 3 * L) * c;
    }
    store(out + i, s0);
    store(out + i + L, s1);
    store(out + i + 2 * L, s2);
    store(out + i + 3 * L, s3);
  }
  for (; i < n; ++i) {
    T s = x[i] * taps[0];
    for (size_t k = 1; k < n_taps; ++k) s = s + x[i + k] * taps[k];
    out[i] = s;
  }
}

}  // namespace
