// SPDX-License-Identifier: MIT
// The data of the golden paths, the same on every system, and the hash of what comes out.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

// Beyond kLongest samples one series: it is cut into tiles and lends them to the threads.
constexpr std::size_t kLengths[] = {1, 2, 3, 7, 16, 101, 1000, 4097, 20'011, 65'537};
constexpr std::size_t kLongest = 5000, kRows = 5;
constexpr std::size_t rows_of(std::size_t n) { return n > kLongest ? 1 : kRows; }

// FNV-1a (Fowler, Noll & Vo) over the little-endian bytes.
class Hash {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    add_bits(values.size(), 8);
    for (const T v : values) add_number(v);
  }
  void add_number(double v) {
    std::uint64_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    add_bits(bits, 8);
  }
  void add_number(float v) {
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    add_bits(bits, 4);
  }
  std::uint64_t value() const { return state_; }

 private:
  void add_bits(std::uint64_t bits, int bytes) {
    for (int k = 0; k < bytes; ++k) state_ = (state_ ^ (bits >> (8 * k) & 0xFF)) * 0x100000001B3ull;
  }
  std::uint64_t state_ = 0xCBF29CE484222325ull;
};

// splitmix64 (Steele, Lea & Flood 2014), as multiples of 2^-20 in [-1, 1).
template <class T = double>
std::vector<T> noise(std::size_t n, std::uint64_t seed) {
  std::vector<T> x(n);
  std::uint64_t state = seed << 32;
  for (auto& v : x) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    v = static_cast<T>(static_cast<double>(z >> 43) / 1048576 - 1);
  }
  return x;
}

// Random walks about 100, on a grid that float holds too.
template <class T>
std::vector<T> prices(std::size_t rows, std::size_t n) {
  std::vector<T> x(rows * n);
  const auto steps = noise(rows * n, 1);
  for (std::size_t r = 0; r < rows; ++r) {
    double price = 100;
    for (std::size_t i = 0; i < n; ++i) {
      price += std::floor(steps[r * n + i] * 128) / 1024;
      x[r * n + i] = static_cast<T>(price);
    }
  }
  return x;
}

template <class T>
struct TypeName;
template <>
struct TypeName<double> {
  static constexpr const char* value = " float64";
};
template <>
struct TypeName<float> {
  static constexpr const char* value = " float32";
};

}  // namespace
