// SPDX-License-Identifier: MIT
// What a stream watches of its series, and what comes out while an alarm stands.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/drift.hpp"
#include "rpsd/options.hpp"
#include "rpsd/stream.hpp"
#include "state_bytes.hpp"

namespace rpsd {

// For each series two blocks of doubles, used in turn as those of a stream's states: the monitor's, the last `lookahead`
// samples with the place of the oldest, and the estimate that is held.
class StreamWatch {
 public:
  StreamWatch(Space space, OnBreach on_breach, std::size_t lookahead, std::size_t series);

  void mark(std::size_t row);
  void swap(std::size_t row) noexcept { second_[row] = !second_[row]; }

  // Estimates y of the samples `lookahead` before x, in whose place may come what on_breach says.
  void push(std::size_t row, const double* x, std::size_t n, double* y) noexcept;
  void acknowledge(std::size_t row) noexcept { monitor_.acknowledge(block(row, second_[row])); }

  // Alarms after which estimates are not to be trusted; on_breach=raise: none is to be made.
  unsigned breaches(std::size_t row) const noexcept;
  bool refuses(std::size_t row) const noexcept { return on_breach_ == OnBreach::raise && breaches(row) != 0; }

  // The last members of the report; its noise and steps are known already.
  void report(std::size_t row, StreamReport& report) const noexcept;

  void save(std::size_t row, StateWriter& to) const;
  void load(std::size_t row, StateReader& from);

 private:
  const double* block(std::size_t row, bool second) const noexcept { return blocks_.data() + (2 * row + second) * size_; }
  double* block(std::size_t row, bool second) noexcept { return blocks_.data() + (2 * row + second) * size_; }

  DriftMonitor monitor_;
  Space space_;
  OnBreach on_breach_;
  std::size_t lookahead_, size_;
  std::vector<double> blocks_;
  std::vector<unsigned char> second_;  // whether a series stands in the second of its blocks
};

}  // namespace rpsd
