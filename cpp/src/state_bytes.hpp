// SPDX-License-Identifier: MIT
// States as bytes: little-endian integers of 64 bits and IEEE doubles, whatever the platform.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace rpsd {

class StateWriter {
 public:
  void put(std::uint64_t v) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<std::uint8_t>(v >> shift));
  }
  void put(double v) {
    std::uint64_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    put(bits);
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

class StateReader {
 public:
  StateReader(const std::uint8_t* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}

  std::uint64_t integer() {
    require(end_ - at_ >= 8);
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 8) v |= static_cast<std::uint64_t>(*at_++) << shift;
    return v;
  }
  double number() {
    const std::uint64_t bits = integer();
    double v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  bool flag() {
    const std::uint64_t v = integer();
    require(v <= 1);
    return v == 1;
  }
  bool ended() const noexcept { return at_ == end_; }
  void finish() const { require(ended()); }
  static void require(bool is_state) {
    if (!is_state) throw std::invalid_argument("state must be one that a stream of the same options saved, got other bytes");
  }

 private:
  const std::uint8_t *at_, *end_;
};

}  // namespace rpsd
