// SPDX-License-Identifier: MIT
#include "rpsd/fft.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace rpsd {
namespace {

// An unevaluated sum of two doubles, |low| <= ulp(high) / 2: sums and products after Dekker (1971), good to about
// 2^-100, so that what is rounded from them is right nearly always and the same everywhere.
struct Double2 {
  double high, low;
};

Double2 two_sum(double a, double b) noexcept {
  const double sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

Double2 two_product(double a, double b) noexcept {
  constexpr double kSplit = 134217729;  // 2^27 + 1
  const double p = kSplit * a, q = kSplit * b;
  const double a1 = p - (p - a), a0 = a - a1, b1 = q - (q - b), b0 = b - b1, product = a * b;
  return {product, ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0};
}

Double2 operator+(Double2 a, Double2 b) noexcept {
  const Double2 sum = two_sum(a.high, b.high);
  return two_sum(sum.high, sum.low + (a.low + b.low));
}

Double2 operator-(Double2 a) noexcept { return {-a.high, -a.low}; }

Double2 operator*(Double2 a, Double2 b) noexcept {
  const Double2 product = two_product(a.high, b.high);
  return two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// One Newton step from the double result doubles its digits.
Double2 square_root(Double2 a) noexcept {
  const double root = std::sqrt(a.high);
  const Double2 rest = a + -two_product(root, root);
  return two_sum(root, rest.high / (2 * root));
}

Double2 operator/(Double2 a, Double2 b) noexcept {
  const double quotient = a.high / b.high;
  const Double2 rest = a + -(b * Double2{quotient, 0});
  return two_sum(quotient, rest.high / b.high);
}

struct Angle {
  Double2 cos, sin;
};

// cos and sin of 2 pi k / n for k <= n / 8, by halving the eighth of a turn and adding angles; n: a power of two.
std::vector<Angle> first_octant(std::size_t n) {
  const std::size_t eighth = n / 8;
  std::vector<Angle> angles(eighth + 1);
  const Double2 half = square_root({0.5, 0});
  angles[0] = {{1, 0}, {0, 0}};
  angles[eighth] = {half, half};
  for (std::size_t k = eighth; k > 1; k /= 2) {
    const Double2 cos = square_root((angles[k].cos + Double2{1, 0}) * Double2{0.5, 0});
    angles[k / 2] = {cos, angles[k].sin / (cos * Double2{2, 0})};
  }
  for (std::size_t k = 2; k < eighth; k *= 2)
    for (std::size_t j = 1; j < k; ++j) {
      const Angle a = angles[k], b = angles[j];
      angles[k + j] = {a.cos * b.cos + -(a.sin * b.sin), a.sin * b.cos + a.cos * b.sin};
    }
  return angles;
}

// cos(2 pi k / n) for k <= n; sin is the same table a quarter of a turn earlier.
template <class T>
std::vector<T> whole_turn(std::size_t n) {
  const auto angles = first_octant(n);
  const std::size_t quarter = n / 4;
  std::vector<T> cosine(n + 1);
  for (std::size_t k = 0; k <= n / 8; ++k) {
    cosine[k] = static_cast<T>(angles[k].cos.high);
    cosine[quarter - k] = static_cast<T>(angles[k].sin.high);
  }
  for (std::size_t k = 0; k < quarter; ++k) cosine[2 * quarter - k] = -cosine[k];
  for (std::size_t k = 0; k < 2 * quarter; ++k) cosine[n - k] = cosine[k];
  return cosine;
}

// exp(-2 pi i k / n) in the order in which the passes of fft_forward read them: for every 16 values of k the real and
// the imaginary parts of the first powers, then of the second and third ones in a pass of radix 4.
template <class T>
std::vector<T> roots_of_passes(std::size_t n) {
  constexpr std::size_t kBlock = 16;
  const auto cosine = whole_turn<T>(n);
  std::vector<T> roots(2 * n);
  T* out = roots.data();
  const auto add_pass = [&](std::size_t stride, std::size_t radix) {
    for (std::size_t k = 0; k < stride; k += kBlock)
      for (std::size_t power = 1; power < radix; ++power, out += 2 * kBlock) {
        // -sin(a) = cos(a + a quarter); the angle stays below three quarters of a turn.
        const std::size_t step = power * (n / (radix * stride));
        const T* const from = cosine.data() + k * step;
        for (std::size_t j = 0; j < kBlock; ++j) {
          out[j] = from[j * step];
          out[kBlock + j] = from[j * step + n / 4];
        }
      }
  };
  const bool power_of_four = (n & 0x5555555555555555) != 0;
  if (!power_of_four) add_pass(n / 2, 2);
  for (std::size_t stride = power_of_four ? n / 4 : n / 8; stride >= kBlock; stride /= 4) add_pass(stride, 4);
  return roots;
}

std::size_t checked_length(std::size_t n) {
  if (n < 256 || (n & (n - 1)) != 0)
    throw std::invalid_argument("n must be a power of two from 256, got " + std::to_string(n));
  return n;
}

}  // namespace

template <class T>
ConvolutionFft<T>::ConvolutionFft(std::size_t n)
    : n_(checked_length(n)), kernel_(&active_table<T>()), roots_(roots_of_passes<T>(n)) {}

template <class T>
void ConvolutionFft<T>::forward(T* re, T* im) const noexcept {
  kernel_->fft_forward(re, im, n_, roots_.data());
}

template <class T>
void ConvolutionFft<T>::inverse(T* re, T* im) const noexcept {
  kernel_->fft_inverse(re, im, n_, roots_.data());
}

template <class T>
void ConvolutionFft<T>::multiply(T* re, T* im, const T* other_re, const T* other_im) const noexcept {
  kernel_->multiply_complex(re, im, other_re, other_im, n_);
}

template class ConvolutionFft<double>;
template class ConvolutionFft<float>;

}  // namespace rpsd
