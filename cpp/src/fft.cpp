// SPDX-License-Identifier: MIT
#include "rpsd/fft.hpp"

#include <cmath>
#include <utility>

namespace rpsd {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = 3.141592653589793238462643383279503;

// Written out: operator* of std::complex checks for NaN.
Complex times(Complex a, Complex b) noexcept {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// exp(-2 pi i k / n), with the angle below 2 pi whatever k.
Complex root(std::size_t k, std::size_t n) {
  const double angle = -2 * kPi * (static_cast<double>(k) / static_cast<double>(n));
  return {std::cos(angle), std::sin(angle)};
}

void bit_reverse(std::vector<Complex>& z) {
  const std::size_t n = z.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(z[i], z[j]);
  }
}

// Decimation in time (Cooley & Tukey 1965); roots[k] = exp(-2 pi i k / n), k < n/2.
void radix2(std::vector<Complex>& z, const std::vector<Complex>& roots) {
  const std::size_t n = z.size();
  bit_reverse(z);
  for (std::size_t half = 1; half < n; half *= 2) {
    const std::size_t step = n / (2 * half);
    for (std::size_t start = 0; start < n; start += 2 * half)
      for (std::size_t k = 0; k < half; ++k) {
        const Complex a = z[start + k], b = times(z[start + k + half], roots[k * step]);
        z[start + k] = a + b;
        z[start + k + half] = a - b;
      }
  }
}

std::vector<Complex> roots_of_unity(std::size_t n) {
  std::vector<Complex> roots(n / 2);
  for (std::size_t k = 0; k < roots.size(); ++k) roots[k] = root(k, n);
  return roots;
}

// k t = (k^2 + t^2 - (k - t)^2) / 2 makes the transform a convolution with the chirp exp(-pi i t^2 / n).
void bluestein(std::vector<Complex>& z) {
  const std::size_t n = z.size();
  std::size_t m = 1;
  while (m < 2 * n - 1) m *= 2;
  std::vector<Complex> chirp(n), u(m), v(m);
  // t^2 mod 2n, kept by its differences 2t + 1, so that the angle never loses digits.
  for (std::size_t t = 0, square = 0; t < n; square = (square + 2 * t + 1) % (2 * n), ++t) chirp[t] = root(square, 2 * n);
  for (std::size_t t = 0; t < n; ++t) {
    u[t] = times(z[t], chirp[t]);
    v[t] = std::conj(chirp[t]);
    if (t > 0) v[m - t] = v[t];
  }
  const auto roots = roots_of_unity(m);
  radix2(u, roots);
  radix2(v, roots);
  for (std::size_t k = 0; k < m; ++k) u[k] = std::conj(times(u[k], v[k]));
  radix2(u, roots);
  for (std::size_t k = 0; k < n; ++k) z[k] = times(std::conj(u[k]), chirp[k]) / static_cast<double>(m);
}

}  // namespace

void dft(std::vector<Complex>& z) {
  const std::size_t n = z.size();
  if (n < 2) return;
  if ((n & (n - 1)) == 0)
    radix2(z, roots_of_unity(n));
  else
    bluestein(z);
}

}  // namespace rpsd
