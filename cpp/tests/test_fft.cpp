// SPDX-License-Identifier: MIT
// The transform for convolutions: its inverse, circular convolution against the sum it stands for, its frequencies
// against a slow transform in long double, and the same bits from every instruction set.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"
#include "rpsd/fft.hpp"

namespace {

constexpr unsigned kSeed = 11;

template <class T>
struct Split {
  std::vector<T> re, im;
};

template <class T>
Split<T> noise(std::size_t n, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  Split<T> z{std::vector<T>(n), std::vector<T>(n)};
  for (std::size_t i = 0; i < n; ++i) {
    z.re[i] = static_cast<T>(normal(generator));
    z.im[i] = static_cast<T>(normal(generator));
  }
  return z;
}

using Slow = std::complex<long double>;

// sum_t z[t] exp(-2 pi i k t / n)
template <class T>
Slow frequency(const Split<T>& z, std::size_t k) {
  const std::size_t n = z.re.size();
  const long double turn = 2 * std::acos(-1.0L);
  Slow sum = 0;
  for (std::size_t t = 0; t < n; ++t)
    sum += Slow(z.re[t], z.im[t]) * std::polar(1.0L, -turn * static_cast<long double>(k * t % n) / static_cast<long double>(n));
  return sum;
}

template <class T>
long double norm(const Split<T>& z) {
  long double sum = 0;
  for (std::size_t i = 0; i < z.re.size(); ++i) sum += std::norm(Slow(z.re[i], z.im[i]));
  return std::sqrt(sum);
}

template <class T>
void check_round_trip(std::size_t n) {
  const rpsd::ConvolutionFft<T> fft(n);
  CHECK(fft.size() == n);
  const auto z = noise<T>(n, kSeed);
  auto there = z;
  fft.forward(there.re.data(), there.im.data());
  // Parseval: the frequencies hold n times the energy, whatever their order.
  const long double unit = std::numeric_limits<T>::epsilon();
  const long double scale = std::sqrt(static_cast<long double>(n));
  CHECK(std::abs(norm(there) / (scale * norm(z)) - 1) < 4 * unit);
  auto back = there;
  fft.inverse(back.re.data(), back.im.data());
  Split<T> error = z;
  for (std::size_t i = 0; i < n; ++i) {
    error.re[i] = back.re[i] / static_cast<T>(n) - z.re[i];
    error.im[i] = back.im[i] / static_cast<T>(n) - z.im[i];
  }
  CHECK(norm(error) < 4 * unit * norm(z));
}

// Every frequency of the slow transform is there, once: a unit impulse at t = 1 gives exp(-2 pi i k / n) at k, which
// tells where k went.
template <class T>
void check_frequencies(std::size_t n) {
  const rpsd::ConvolutionFft<T> fft(n);
  Split<T> impulse{std::vector<T>(n), std::vector<T>(n)};
  impulse.re[1] = 1;
  fft.forward(impulse.re.data(), impulse.im.data());
  const auto z = noise<T>(n, kSeed + 1);
  auto spectrum = z;
  fft.forward(spectrum.re.data(), spectrum.im.data());
  const long double unit = std::numeric_limits<T>::epsilon(), turn = 2 * std::acos(-1.0L);
  const std::size_t some = std::max<std::size_t>(1, n / 256);
  std::vector<bool> seen(n);
  for (std::size_t i = 0; i < n; ++i) {
    // In double, which tells neighbours apart: Bochs 2.7 takes the x87 arctangent of (1, -1) for that of (1, 1).
    const double angle = -std::atan2(double{impulse.im[i]}, double{impulse.re[i]}) / static_cast<double>(turn);
    const auto k = static_cast<std::size_t>(std::llround((angle + 1) * static_cast<double>(n))) % n;
    CHECK(!seen[k]);
    seen[k] = true;
    const Slow root = std::polar(1.0L, -turn * static_cast<long double>(k) / static_cast<long double>(n));
    CHECK(std::abs(Slow(impulse.re[i], impulse.im[i]) - root) < 2 * unit);
    if (i % some == 0)
      CHECK(std::abs(Slow(spectrum.re[i], spectrum.im[i]) - frequency(z, k)) < 4 * unit * norm(z));
  }
}

template <class T>
void check_convolution(std::size_t n) {
  const rpsd::ConvolutionFft<T> fft(n);
  const auto u = noise<T>(n, kSeed + 2), v = noise<T>(n, kSeed + 3);
  auto a = u, b = v;
  fft.forward(a.re.data(), a.im.data());
  fft.forward(b.re.data(), b.im.data());
  fft.multiply(a.re.data(), a.im.data(), b.re.data(), b.im.data());
  fft.inverse(a.re.data(), a.im.data());
  const long double unit = std::numeric_limits<T>::epsilon();
  for (std::size_t i = 0; i < n; ++i) {
    Slow sum = 0;
    for (std::size_t t = 0; t < n; ++t) {
      const std::size_t s = (i + n - t) % n;
      sum += Slow(u.re[t], u.im[t]) * Slow(v.re[s], v.im[s]);
    }
    const Slow got(a.re[i] / static_cast<T>(n), a.im[i] / static_cast<T>(n));
    CHECK(std::abs(got - sum) < 4 * unit * norm(u) * norm(v));
  }
}

// The same bits from another table: after the inverse everywhere, before it in its own order.
template <class T>
void check_same_bits(const rpsd::kernels::Table<T>& table, std::size_t n) {
  const auto& base = [] () -> const rpsd::kernels::Table<T>& {
    if constexpr (sizeof(T) == sizeof(double)) return rpsd_kernels_baseline()->f64;
    else return rpsd_kernels_baseline()->f32;
  }();
  // Any numbers will do for roots.
  const auto roots = noise<T>(3 * n, kSeed + 4).re;
  const auto start = noise<T>(n, kSeed + 5);
  auto expected = start, got = start;
  base.fft_forward(expected.re.data(), expected.im.data(), n, roots.data());
  table.fft_forward(got.re.data(), got.im.data(), n, roots.data());
  auto expected_sorted = expected, got_sorted = got;
  for (auto* values : {&expected_sorted.re, &expected_sorted.im, &got_sorted.re, &got_sorted.im})
    std::sort(values->begin(), values->end());
  CHECK(expected_sorted.re == got_sorted.re);
  CHECK(expected_sorted.im == got_sorted.im);
  base.fft_inverse(expected.re.data(), expected.im.data(), n, roots.data());
  table.fft_inverse(got.re.data(), got.im.data(), n, roots.data());
  CHECK(std::memcmp(expected.re.data(), got.re.data(), n * sizeof(T)) == 0);
  CHECK(std::memcmp(expected.im.data(), got.im.data(), n * sizeof(T)) == 0);
}

template <class T>
void check_all() {
  for (std::size_t n = 256; n <= 65536; n *= 2) check_round_trip<T>(n);
  for (std::size_t n = 256; n <= 8192; n *= 2) check_frequencies<T>(n);
  for (std::size_t n = 256; n <= 2048; n *= 2) check_convolution<T>(n);
  for (const std::size_t n : {0u, 1u, 128u, 257u, 384u}) {
    bool refused = false;
    try {
      rpsd::ConvolutionFft<T> fft(n);
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    CHECK(refused);
  }
}

}  // namespace

int main() {
  check_all<double>();
  check_all<float>();
  for (std::size_t n = 256; n <= 16384; n *= 2) {
    check_same_bits(rpsd::active_kernels().f64, n);
    check_same_bits(rpsd::active_kernels().f32, n);
  }
  return failed();
}
