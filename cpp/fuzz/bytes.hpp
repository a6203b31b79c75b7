// SPDX-License-Identifier: MIT
// What a fuzzer's bytes say: choices and numbers, zeros once they have run out.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

// A finding: libFuzzer keeps the input that led to an abort.
#define REQUIRE(condition)                                                                \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: REQUIRE(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

class Bytes {
 public:
  Bytes(const std::uint8_t* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  const std::uint8_t* rest() const { return at_; }

  std::uint8_t byte() { return at_ == end_ ? std::uint8_t{0} : *at_++; }
  // One of 0 .. count - 1, count <= 256.
  std::size_t below(std::size_t count) { return byte() % count; }

  // A double: of any bits, an ordinary one, or one at the ends of the range.
  double number() {
    switch (const std::uint8_t kind = byte(); kind % 16) {
      case 0: {
        std::uint64_t bits = 0;
        for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
        double v;
        std::memcpy(&v, &bits, sizeof v);
        return v;
      }
      case 1: return kEnds[kind / 16];
      default: return 100 + (byte() * 256 + byte() - 32768) / 4096.0;
    }
  }

  // n <= most numbers. Few bytes may ask for many numbers: the sequence goes on with what an LCG makes of its first.
  std::vector<double> numbers(std::size_t most) {
    const std::size_t n = (below(256) * 256 + below(256)) % (most + 1);
    std::vector<double> x(n);
    std::uint32_t state = byte() + 1u;
    for (double& v : x) {
      if (left() > 0) {
        v = number();
        continue;
      }
      state = state * 1664525u + 1013904223u;
      v = 100 + (state >> 8) / 16777216.0;
    }
    return x;
  }

 private:
  static constexpr double kEnds[16] = {0.0, -0.0, 1e308, -1e308, std::numeric_limits<double>::infinity(),
                                       -std::numeric_limits<double>::infinity(),
                                       std::numeric_limits<double>::quiet_NaN(), 5e-324, -5e-324, 2.2e-308, 1e-300, 1e154,
                                       -1e154, 1.7976931348623157e308, 1e-160, 1.0};
  const std::uint8_t *at_, *end_;
};

// Bit for bit, but that every NaN is like every other.
template <class T>
bool same(const T* a, const T* b, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    if (std::memcmp(a + i, b + i, sizeof(T)) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}
