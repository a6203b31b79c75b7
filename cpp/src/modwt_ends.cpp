// SPDX-License-Identifier: MIT
// The inverse of the symmetric transform. Away from the ends it is the synthesis sum; the K samples at each end
// read coefficients that were not kept, and are the least-squares solution given the others
// (docs/decisions/0007-modwt.md), found by conjugate gradients on the normal equations (Hestenes & Stiefel 1952).
#include <algorithm>
#include <cmath>
#include <vector>

#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

using Vector = std::vector<double>;

// The symmetric transform A of m samples as a matrix: A x, and A' c.
class Operator {
 public:
  Operator(const Modwt<double>& transform, std::size_t m, int level) : transform_(transform), m_(m), level_(level) {}

  std::size_t rows() const { return static_cast<std::size_t>(level_ + 1) * m_; }

  void apply(const Vector& x, Vector& c) {
    symmetric_modwt(transform_, x.data(), m_, level_, c.data(), doubled_, all_, scratch_);
  }

  void transpose(const Vector& c, Vector& x) {
    const std::size_t period = 2 * m_;
    double* rows = all_.get(2 * this->rows());
    std::fill(rows, rows + 2 * this->rows(), 0.0);
    for (int k = 0; k <= level_; ++k) {
      const std::size_t lag =
          k == 0 ? transform_.smooth_lag(level_, period) : transform_.detail_lag(level_ + 1 - k, period);
      const double* from = c.data() + static_cast<std::size_t>(k) * m_;
      double* row = rows + static_cast<std::size_t>(k) * period;
      const std::size_t first = std::min(m_, period - lag);
      std::copy(from, from + first, row + lag);
      std::copy(from + first, from + m_, row);
    }
    double* both = doubled_.get(period);
    transform_.inverse(rows, period, level_, both, scratch_, Modwt<double>::Back::transpose);
    for (std::size_t t = 0; t < m_; ++t) x[t] = both[t] + both[period - 1 - t];
  }

 private:
  const Modwt<double>& transform_;
  std::size_t m_;
  int level_;
  Buffer<double> doubled_, all_;
  ModwtScratch<double> scratch_;
};

double dot(const Vector& v) { return active_table<double>().sum_squares(v.data(), v.size()); }

void zero_middle(Vector& v, std::size_t begin, std::size_t end) {
  if (begin < end) std::fill(v.begin() + static_cast<std::ptrdiff_t>(begin), v.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
}

// Adds to x the correction of its `ends` samples at each end that brings A x nearest to c.
void fit_ends(Operator& a, const Vector& c, std::size_t ends, Vector& x) {
  constexpr int kPasses = 2;              // each starts from a residual computed afresh,
  constexpr double kReduction = 1e-24;    // brings the squared gradient down by this,
  constexpr double kRounding = 1e-31;     // and stops at this share of the coefficients' squares
  const std::size_t m = x.size(), rows = c.size() / m, known = 2 * ends;
  const std::size_t most_steps = 4 * std::min(m, known) + 20;
  const double floor = kRounding * dot(c);
  Vector residual(c.size()), image(c.size()), gradient(m), direction(m);
  for (int pass = 0; pass < kPasses; ++pass) {
    a.apply(x, residual);
    for (std::size_t i = 0; i < c.size(); ++i) residual[i] = c[i] - residual[i];
    // Where two ends were put together the middle is not the series'.
    if (m > 2 * known)
      for (std::size_t k = 0; k < rows; ++k) zero_middle(residual, k * m + known, (k + 1) * m - known);
    a.transpose(residual, gradient);
    zero_middle(gradient, ends, m - std::min(ends, m));
    direction = gradient;
    double squared = dot(gradient);
    const double small = std::max(squared * kReduction, floor);
    for (std::size_t step = 0; step < most_steps && squared > small; ++step) {
      check_stop();
      a.apply(direction, image);
      const double length = squared / dot(image);
      for (std::size_t i = 0; i < m; ++i) x[i] += length * direction[i];
      for (std::size_t i = 0; i < c.size(); ++i) residual[i] -= length * image[i];
      a.transpose(residual, gradient);
      zero_middle(gradient, ends, m - std::min(ends, m));
      const double next = dot(gradient);
      for (std::size_t i = 0; i < m; ++i) direction[i] = gradient[i] + next / squared * direction[i];
      squared = next;
    }
  }
}

// The first and the last `half` of row[0..n), or all of it where they meet.
void take_ends(const double* row, std::size_t n, std::size_t m, double* to) {
  const std::size_t half = m / 2;
  std::copy(row, row + half, to);
  std::copy(row + n - (m - half), row + n, to + half);
}

// x[t] for ends <= t < n - ends by the synthesis sum, in blocks that stay in cache: all it reads was kept.
void invert_middle(const Modwt<double>& transform, const double* coeffs, std::size_t n, int level, std::size_t ends,
                   double* x) {
  constexpr std::size_t kBlock = 4096;
  const std::size_t taps = transform.taps();
  Vector smooth[2];
  for (auto& v : smooth) v.resize(kBlock + ends);
  std::vector<std::size_t> offsets(taps);
  for (std::size_t begin = ends; begin < n - ends; begin += kBlock) {
    check_stop();
    const std::size_t m = std::min(kBlock, n - ends - begin);
    const double* v = coeffs + begin - transform.smooth_lag(level, 2 * n);
    for (int j = level; j >= 1; --j) {
      for (std::size_t l = 0; l < taps; ++l) offsets[l] = l << (j - 1);
      const double* w = coeffs + static_cast<std::size_t>(level + 1 - j) * n + begin - transform.detail_lag(j, 2 * n);
      double* out = j == 1 ? x + begin : smooth[j % 2].data();
      active_table<double>().modwt_synthesis(v, w, m + transform.reach(j - 1, n), transform.synthesis_taps(),
                                             offsets.data(), taps, out);
      v = out;
    }
  }
}

}  // namespace

void symmetric_imodwt(const Modwt<double>& transform, const double* coeffs, std::size_t n, int level, double* x) {
  const std::size_t ends = transform.reach(level, n), rows = static_cast<std::size_t>(level + 1);
  if (level == 0) {
    std::copy(coeffs, coeffs + n, x);
    return;
  }
  const int exponent = unit_exponent(coeffs, rows * n, active_table<double>().sum_squares(coeffs, rows * n));
  Vector scaled;
  if (exponent != 0) {
    scaled.resize(rows * n);
    std::transform(coeffs, coeffs + rows * n, scaled.begin(), [=](double c) { return std::ldexp(c, -exponent); });
    coeffs = scaled.data();
  }
  std::fill(x, x + n, 0.0);
  if (2 * ends < n) invert_middle(transform, coeffs, n, level, ends, x);
  // An end of K samples is seen by 2K coefficients, which see 3K samples: a series of both ends stands for a long one.
  const std::size_t m = std::min(n, 6 * ends), half = m / 2;
  Operator a(transform, m, level);
  Vector some(rows * m), short_series(m);
  for (std::size_t k = 0; k < rows; ++k) take_ends(coeffs + k * n, n, m, some.data() + k * m);
  take_ends(x, n, m, short_series.data());
  fit_ends(a, some, std::min(ends, m - half), short_series);
  std::copy(short_series.data(), short_series.data() + half, x);
  std::copy(short_series.data() + half, short_series.data() + m, x + n - (m - half));
  if (exponent != 0)
    for (std::size_t t = 0; t < n; ++t) x[t] = std::ldexp(x[t], exponent);
}

}  // namespace rpsd
