// SPDX-License-Identifier: MIT
// The local level model's recursions, a problem a lane. A missing sample has gain zero, by a product with `seen` and one
// choice instead of a branch. Variances are written as sums and products of positive terms, which lose no digits where
// noise and steps differ by many orders. A step waits for an addition, a division and a product: products of variances
// are taken meanwhile, and so must lie within the range of numbers.
#pragma once

namespace {

using rpsd::kernels::LevelLanes;
using rpsd::kernels::LevelProfile;
using rpsd::kernels::LevelState;
using rpsd::kernels::SmoothedLanes;
using rpsd::kernels::SmootherState;

// A block of samples of all lanes.
template <size_t N>
struct LevelBlock {
  static constexpr size_t kWidth = Bundle<N>::kWidth;
  double y[kLaneBlock * kWidth], seen[kLaneBlock * kWidth], q[kLaneBlock * kWidth], r[kLaneBlock * kWidth];

  inline void read(const LevelLanes& lanes, size_t begin, size_t n) noexcept {
    gather<N>(lanes.y, begin, n, y);
    gather<N>(lanes.seen, begin, n, seen);
    gather<N>(lanes.q, begin, n, q);
    gather<N>(lanes.r, begin, n, r);
  }
};

template <size_t N>
struct LevelFilter {
  Bundle<N> mean, variance, squares;
  Product<N> predicted;

  explicit LevelFilter(const LevelState& state) noexcept
      : mean(state.mean), variance(state.variance), squares(state.squares),
        predicted{Bundle<N>(state.mantissa), Bundle<N>(state.exponent)} {}

  void to(LevelState& state) const noexcept {
    mean.to(state.mean);
    variance.to(state.variance);
    squares.to(state.squares);
    predicted.mantissas.to(state.mantissa);
    predicted.exponents.to(state.exponent);
  }

  inline void begin(const Bundle<N>& y, const Bundle<N>& r) noexcept {
    mean = y;
    variance = r;
    squares = Bundle<N>(0.0);
    predicted = {Bundle<N>(1.0), Bundle<N>(0.0)};
  }

  inline void advance(const Bundle<N>& y, const Bundle<N>& seen, const Bundle<N>& q, const Bundle<N>& r) noexcept {
    const Bundle<N> one(1.0), before = variance + q, f = variance + (q + r), inverse = one / f;
    const Bundle<N> weight = inverse * seen, e = y - mean;
    squares = squares + e * e * weight;
    predicted.times(select_positive(seen, f, one));
    mean = mean + before * weight * e;
    variance = select_positive(seen, (r * before) * inverse, before);
  }
};

template <bool kKeep>
struct FilterSweep {
  template <size_t N>
  static inline void run(const LevelLanes& lanes, size_t begin, size_t end, LevelState& state, double* kept) noexcept {
    constexpr size_t W = Bundle<N>::kWidth;
    LevelBlock<N> block;
    LevelFilter<N> filter(state);
    for (size_t t = begin; t < end; t += kLaneBlock) {
      const size_t n = end - t < kLaneBlock ? end - t : kLaneBlock;
      block.read(lanes, t, n);
      for (size_t i = 0; i < n; ++i) {
        const Bundle<N> y(block.y + i * W), q(block.q + i * W), r(block.r + i * W);
        if (t + i == 0)
          filter.begin(y, r);
        else
          filter.advance(y, Bundle<N>(block.seen + i * W), q, r);
        if (kKeep) {
          filter.mean.to(kept);
          filter.variance.to(kept + W);
          q.to(kept + 2 * W);
          kept += 3 * W;
        }
      }
    }
    filter.to(state);
  }
};

// Given x[t+1], x[t] has the mean a + J (x[t+1] - a) and the variance J q, where a and P are those given the samples up
// to t, q is the variance of the step and J = P / (P + q) (Rauch, Tung & Striebel 1965).
struct SmootherSweep {
  template <size_t N>
  static inline void run(const SmoothedLanes& out, size_t count, size_t begin, size_t end, size_t n,
                         SmootherState& state, const double* kept) noexcept {
    constexpr size_t W = Bundle<N>::kWidth;
    double means[kLaneBlock * W], variances[kLaneBlock * W], squares[kLaneBlock * W];
    Bundle<N> mean(state.mean), variance(state.variance), q(state.step);
    for (size_t stop = end; stop > begin;) {
      const size_t length = stop - begin < kLaneBlock ? stop - begin : kLaneBlock, start = stop - length;
      for (size_t i = length; i-- > 0;) {
        const double* const row = kept + (start - begin + i) * 3 * W;
        const Bundle<N> a(row), p(row + W), inverse = Bundle<N>(1.0) / (p + q);
        const Bundle<N> j = p * inverse, h = q * inverse, gap = mean - a, step = h * gap, left = j * q;
        (step * step + (h * h * variance + left)).to(squares + i * W);
        mean = a + j * gap;
        variance = j * j * variance + left;
        mean.to(means + i * W);
        variance.to(variances + i * W);
        q = Bundle<N>(row + 2 * W);
      }
      scatter<N>(means, start, length, count, out.mean);
      scatter<N>(variances, start, length, count, out.variance);
      scatter<N>(squares, start + 1, stop == n ? length - 1 : length, count, out.step_square);
      stop = start;
    }
    mean.to(state.mean);
    variance.to(state.variance);
    q.to(state.step);
  }
};

// The filter and its derivative by the log of the noise variances (Harvey 1989, 3.4.6), of which only the gain's and the
// mean's are not sums of positive terms.
struct ProfileSweep {
  template <size_t N>
  static inline void run(const LevelLanes& lanes, size_t begin, size_t end, LevelProfile& out) noexcept {
    constexpr size_t W = Bundle<N>::kWidth;
    LevelBlock<N> block;
    const Bundle<N> ratio(out.ratio), one(1.0), zero(0.0);
    Bundle<N> mean = zero, variance = zero, mean_slope = zero, variance_slope = zero;
    Bundle<N> squares = zero, squares_slope = zero, logs_slope = zero;
    Product<N> predicted = {one, zero};
    if (begin > 0) {
      mean = Bundle<N>(out.mean);
      variance = Bundle<N>(out.variance);
      mean_slope = Bundle<N>(out.mean_slope);
      variance_slope = Bundle<N>(out.variance_slope);
      squares = Bundle<N>(out.squares);
      squares_slope = zero - Bundle<N>(out.squares_slope);
      logs_slope = Bundle<N>(out.logs_slope);
      predicted = {Bundle<N>(out.mantissa), Bundle<N>(out.exponent)};
    }
    for (size_t t = begin; t < end; t += kLaneBlock) {
      const size_t length = end - t < kLaneBlock ? end - t : kLaneBlock;
      block.read(lanes, t, length);
      if (t == 0) {
        mean = Bundle<N>(block.y);
        variance = variance_slope = Bundle<N>(block.r) * ratio;
      }
      for (size_t i = t == 0 ? 1 : 0; i < length; ++i) {
        const Bundle<N> y(block.y + i * W), seen(block.seen + i * W), q(block.q + i * W);
        const Bundle<N> r = Bundle<N>(block.r + i * W) * ratio;
        const Bundle<N> before = variance + q, f = variance + (q + r), inverse = one / f, weight = inverse * seen;
        const Bundle<N> c = select_positive(seen, r * inverse, one), k = before * weight;
        const Bundle<N> e = y - mean, f_slope = (variance_slope + r) * weight;
        const Bundle<N> k_slope = c * (variance_slope * weight - k);
        squares = squares + e * e * weight;
        squares_slope = squares_slope + e * weight * (mean_slope + mean_slope + e * f_slope);
        logs_slope = logs_slope + f_slope;
        predicted.times(select_positive(seen, f, one));
        mean = mean + k * e;
        mean_slope = c * mean_slope + k_slope * e;
        variance = select_positive(seen, (r * before) * inverse, before);
        variance_slope = c * c * variance_slope + k * k * r;
      }
    }
    mean.to(out.mean);
    variance.to(out.variance);
    mean_slope.to(out.mean_slope);
    variance_slope.to(out.variance_slope);
    squares.to(out.squares);
    (zero - squares_slope).to(out.squares_slope);
    predicted.mantissas.to(out.mantissa);
    predicted.exponents.to(out.exponent);
    logs_slope.to(out.logs_slope);
  }
};

void level_filter(const LevelLanes& lanes, size_t begin, size_t end, LevelState& state, double* kept) noexcept {
  with_lanes<FilterSweep<true>>(lanes.count, lanes, begin, end, state, kept);
}

void level_smooth(const SmoothedLanes& out, size_t count, size_t begin, size_t end, size_t n, SmootherState& state,
                  const double* kept) noexcept {
  with_lanes<SmootherSweep>(count, out, count, begin, end, n, state, kept);
}

void level_likelihood(const LevelLanes& lanes, size_t begin, size_t end, LevelState& state) noexcept {
  with_lanes<FilterSweep<false>>(lanes.count, lanes, begin, end, state, static_cast<double*>(nullptr));
}

void level_profile(const LevelLanes& lanes, size_t begin, size_t end, LevelProfile& profile) noexcept {
  with_lanes<ProfileSweep>(lanes.count, lanes, begin, end, profile);
}

}  // namespace
