// SPDX-License-Identifier: MIT
// One level of the maximal overlap transform and back: filters with holes, contiguous in time.
#pragma once

namespace {

// 4 vectors of outputs of both filters from one set of loads; Low: the scaling filter's as well.
template <class T, bool Low>
inline void modwt_analysis_of(const T* x, size_t n, const T* taps, const size_t* offsets, size_t n_taps, T* v,
                              T* w) noexcept {
  constexpr size_t L = kLanes<T>;
  size_t t = 0;
  for (; t + 4 * L <= n; t += 4 * L) {
    const T* p = x + t - offsets[0];
    Vec<T> x0 = load(p), x1 = load(p + L), x2 = load(p + 2 * L), x3 = load(p + 3 * L);
    T g = taps[0], h = taps[1];
    Vec<T> w0 = x0 * h, w1 = x1 * h, w2 = x2 * h, w3 = x3 * h;
    Vec<T> v0 = x0 * g, v1 = x1 * g, v2 = x2 * g, v3 = x3 * g;
    for (size_t l = 1; l < n_taps; ++l) {
      p = x + t - offsets[l];
      g = taps[2 * l];
      h = taps[2 * l + 1];
      x0 = load(p);
      x1 = load(p + L);
      x2 = load(p + 2 * L);
      x3 = load(p + 3 * L);
      w0 = w0 + x0 * h;
      w1 = w1 + x1 * h;
      w2 = w2 + x2 * h;
      w3 = w3 + x3 * h;
      if (Low) {
        v0 = v0 + x0 * g;
        v1 = v1 + x1 * g;
        v2 = v2 + x2 * g;
        v3 = v3 + x3 * g;
      }
    }
    store(w + t, w0);
    store(w + t + L, w1);
    store(w + t + 2 * L, w2);
    store(w + t + 3 * L, w3);
    if (Low) {
      store(v + t, v0);
      store(v + t + L, v1);
      store(v + t + 2 * L, v2);
      store(v + t + 3 * L, v3);
    }
  }
  for (; t < n; ++t) {
    const T* const at = x + t;  // x[t - offset] may lie before x, and the index is unsigned
    T low = *(at - offsets[0]) * taps[0], high = *(at - offsets[0]) * taps[1];
    for (size_t l = 1; l < n_taps; ++l) {
      low = low + *(at - offsets[l]) * taps[2 * l];
      high = high + *(at - offsets[l]) * taps[2 * l + 1];
    }
    w[t] = high;
    if (Low) v[t] = low;
  }
}

template <class T>
void modwt_analysis(const T* x, size_t n, const T* taps, const size_t* offsets, size_t n_taps, T* v, T* w) noexcept {
  if (v)
    modwt_analysis_of<T, true>(x, n, taps, offsets, n_taps, v, w);
  else
    modwt_analysis_of<T, false>(x, n, taps, offsets, n_taps, v, w);
}

template <class T>
void modwt_synthesis(const T* v, const T* w, size_t n, const T* taps, const size_t* offsets, size_t n_taps,
                     T* x) noexcept {
  constexpr size_t L = kLanes<T>;
  size_t t = 0;
  for (; t + 4 * L <= n; t += 4 * L) {
    const T *p = v + t + offsets[0], *q = w + t + offsets[0];
    T g = taps[0], h = taps[1];
    Vec<T> v0 = load(p) * g, v1 = load(p + L) * g, v2 = load(p + 2 * L) * g, v3 = load(p + 3 * L) * g;
    Vec<T> w0 = load(q) * h, w1 = load(q + L) * h, w2 = load(q + 2 * L) * h, w3 = load(q + 3 * L) * h;
    for (size_t l = 1; l < n_taps; ++l) {
      p = v + t + offsets[l];
      q = w + t + offsets[l];
      g = taps[2 * l];
      h = taps[2 * l + 1];
      v0 = v0 + load(p) * g;
      v1 = v1 + load(p + L) * g;
      v2 = v2 + load(p + 2 * L) * g;
      v3 = v3 + load(p + 3 * L) * g;
      w0 = w0 + load(q) * h;
      w1 = w1 + load(q + L) * h;
      w2 = w2 + load(q + 2 * L) * h;
      w3 = w3 + load(q + 3 * L) * h;
    }
    store(x + t, v0 + w0);
    store(x + t + L, v1 + w1);
    store(x + t + 2 * L, v2 + w2);
    store(x + t + 3 * L, v3 + w3);
  }
  for (; t < n; ++t) {
    T low = v[t + offsets[0]] * taps[0], high = w[t + offsets[0]] * taps[1];
    for (size_t l = 1; l < n_taps; ++l) {
      low = low + v[t + offsets[l]] * taps[2 * l];
      high = high + w[t + offsets[l]] * taps[2 * l + 1];
    }
    x[t] = low + high;
  }
}

}  // namespace
