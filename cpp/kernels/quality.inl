// SPDX-License-Identifier: MIT
// Passes of the guardrails, in double only: sums about a level, decimation for the band power, slopes, lags.
#pragma once

namespace {

using QualityVec = Vec<double>;
constexpr size_t kEightLanes = 8;
constexpr size_t kQualityLanes = kLanes<double>;
constexpr size_t kParts = kEightLanes / kQualityLanes;  // vectors that hold the eight lanes

struct Eight {
  QualityVec part[kParts];
};

inline Eight load_eight(const double* p) noexcept {
  Eight e;
  for (size_t k = 0; k < kParts; ++k) e.part[k] = load(p + k * kQualityLanes);
  return e;
}

inline void store_eight(double* p, const Eight& e) noexcept {
  for (size_t k = 0; k < kParts; ++k) store(p + k * kQualityLanes, e.part[k]);
}

inline void add_product(Eight& sum, const Eight& a, const Eight& b) noexcept {
  for (size_t k = 0; k < kParts; ++k) sum.part[k] = sum.part[k] + a.part[k] * b.part[k];
}

// The fold of the eight lanes, as far as whole vectors go.
inline double fold(const Eight& e) noexcept {
  double s[kQualityLanes];
  if constexpr (kParts == 4) {
    store(s, (e.part[0] + e.part[2]) + (e.part[1] + e.part[3]));
    return s[0] + s[1];
  } else if constexpr (kParts == 2) {
    store(s, e.part[0] + e.part[1]);
    return (s[0] + s[2]) + (s[1] + s[3]);
  } else {
    store(s, e.part[0]);
    return fold(s);
  }
}

void level_sums(const double* x, size_t n, double* sums) noexcept {
  double shifted[kEightLanes] = {}, squares[kEightLanes] = {};
  Eight s = load_eight(shifted), q = load_eight(squares);
  const QualityVec first = splat(x[0]);
  size_t i = 0;
  for (; i + kEightLanes <= n; i += kEightLanes) {
    const Eight v = load_eight(x + i);
    for (size_t k = 0; k < kParts; ++k) s.part[k] = s.part[k] + (v.part[k] - first);
    add_product(q, v, v);
  }
  store_eight(shifted, s);
  store_eight(squares, q);
  for (size_t k = 0; i + k < n; ++k) {
    shifted[k] += x[i + k] - x[0];
    squares[k] += x[i + k] * x[i + k];
  }
  sums[0] = fold(shifted);
  sums[1] = fold(squares);
}

void centre(const double* x, const double* y, size_t n, double mean_x, double mean_y, double* u, double* v,
            double* lanes) noexcept {
  constexpr size_t kSums = 6;
  Eight sum[kSums];
  for (size_t s = 0; s < kSums; ++s) sum[s] = load_eight(lanes + s * kEightLanes);
  const QualityVec level_x = splat(mean_x), level_y = splat(mean_y);
  size_t i = 0;
  for (; i + kEightLanes <= n; i += kEightLanes)
    for (size_t k = 0; k < kParts; ++k) {
      const size_t at = i + k * kQualityLanes;
      const QualityVec p = load(x + at), q = load(y + at), a = p - level_x, b = q - level_y, d = p - q;
      store(u + at, a);
      store(v + at, b);
      sum[0].part[k] = sum[0].part[k] + a;
      sum[1].part[k] = sum[1].part[k] + b;
      sum[2].part[k] = sum[2].part[k] + a * a;
      sum[3].part[k] = sum[3].part[k] + b * b;
      sum[4].part[k] = sum[4].part[k] + a * b;
      sum[5].part[k] = sum[5].part[k] + d * d;
    }
  for (size_t s = 0; s < kSums; ++s) store_eight(lanes + s * kEightLanes, sum[s]);
  for (size_t k = 0; i + k < n; ++k) {
    const double a = x[i + k] - mean_x, b = y[i + k] - mean_y, d = x[i + k] - y[i + k];
    u[i + k] = a;
    v[i + k] = b;
    const double terms[kSums] = {a, b, a * a, b * b, a * b, d * d};
    for (size_t s = 0; s < kSums; ++s) lanes[s * kEightLanes + k] += terms[s];
  }
}

// Four outputs at a time share the loads of the taps.
void decimate(const double* u, size_t n, size_t step, const double* taps, size_t n_taps, double* out) noexcept {
  constexpr size_t kTile = 4;
  constexpr double kZero[kEightLanes] = {};
  size_t i = 0;
  for (; i + kTile <= n; i += kTile) {
    Eight sum[kTile];
    for (size_t j = 0; j < kTile; ++j) sum[j] = load_eight(kZero);
    const double* p = u + i * step;
    for (size_t m = 0; m < n_taps; m += kEightLanes) {
      const Eight c = load_eight(taps + m);
      for (size_t j = 0; j < kTile; ++j) add_product(sum[j], c, load_eight(p + j * step + m));
    }
    for (size_t j = 0; j < kTile; ++j) out[i + j] = fold(sum[j]);
  }
  for (; i < n; ++i) {
    Eight sum = load_eight(kZero);
    for (size_t m = 0; m < n_taps; m += kEightLanes) add_product(sum, load_eight(taps + m), load_eight(u + i * step + m));
    out[i] = fold(sum);
  }
}

constexpr size_t kSlopeWindow = 30, kSlopeBlock = 256, kSlopePart = 6;

// The slopes of windows 0 .. n - 1, n <= kSlopeBlock, times a positive constant: sum_k (2 k - 29) x[i + k]. Element
// k = 6 m + r has the weight (2 r - 5) + 12 (m - 2), hence slopes of six, shared by five windows, and differences of
// elements twelve and twenty-four apart. Differences come first everywhere: a flat window gives exactly zero, the size
// of x costs no digits, and nothing outside the window has a part in it.
void slopes(const double* x, size_t n, double* out) noexcept {
  constexpr size_t kSixes = kSlopeWindow - kSlopePart, kLast = kSlopePart - 1;
  double six[kSlopeBlock + kSixes], apart[kSlopeBlock + kLast], pair[kSlopeBlock + kLast - 1];
  for (size_t i = 0; i < n + kSixes; ++i)
    six[i] = 5 * (x[i + 5] - x[i]) + (3 * (x[i + 4] - x[i + 1]) + (x[i + 3] - x[i + 2]));
  for (size_t i = 0; i < n + kLast; ++i) apart[i] = 2 * (x[i + 24] - x[i]) + (x[i + 18] - x[i + 6]);
  for (size_t i = 0; i < n + kLast - 1; ++i) pair[i] = apart[i] + apart[i + 1];
  for (size_t i = 0; i < n; ++i)
    out[i] = (((six[i] + six[i + 24]) + (six[i + 6] + six[i + 18])) + six[i + 12]) +
             12 * ((pair[i] + pair[i + 4]) + pair[i + 2]);
}

size_t agreeing_slopes(const double* x, const double* y, size_t windows) noexcept {
  double of_x[kSlopeBlock], of_y[kSlopeBlock];
  size_t count = 0;
  for (size_t i = 0; i < windows; i += kSlopeBlock) {
    const size_t n = windows - i < kSlopeBlock ? windows - i : kSlopeBlock;
    slopes(x + i, n, of_x);
    slopes(y + i, n, of_y);
    for (size_t j = 0; j < n; ++j) {
      const bool same_rise = (of_x[j] > 0) == (of_y[j] > 0), same_fall = (of_x[j] < 0) == (of_y[j] < 0);
      count += static_cast<size_t>(same_rise & same_fall);
    }
  }
  return count;
}

template <size_t Lags>
inline void products_of(const double* u, size_t n, size_t lag, double* lanes) noexcept {
  Eight sum[Lags];
  for (size_t j = 0; j < Lags; ++j) sum[j] = load_eight(lanes + j * kEightLanes);
  size_t i = 0;
  for (; i + kEightLanes <= n; i += kEightLanes) {
    const Eight a = load_eight(u + i);
    for (size_t j = 0; j < Lags; ++j) add_product(sum[j], a, load_eight(u + i + lag + j));
  }
  for (size_t j = 0; j < Lags; ++j) {
    store_eight(lanes + j * kEightLanes, sum[j]);
    for (size_t k = 0; i + k < n; ++k) lanes[j * kEightLanes + k] += u[i + k] * u[i + k + lag + j];
  }
}

// As many lags at a time as the registers hold.
void lagged_products(const double* u, size_t n, size_t lag, size_t lags, double* lanes) noexcept {
  constexpr size_t kGroup = kParts == 4 ? 2 : (kParts == 2 ? 5 : 10);
  size_t j = 0;
  for (; j + kGroup <= lags; j += kGroup) products_of<kGroup>(u, n, lag + j, lanes + j * kEightLanes);
  for (; j < lags; ++j) products_of<1>(u, n, lag + j, lanes + j * kEightLanes);
}

}  // namespace
