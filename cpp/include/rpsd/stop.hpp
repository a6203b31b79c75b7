// SPDX-License-Identifier: MIT
// Calls that end before they are done, where nobody waits for what they compute.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>

namespace rpsd {

// A call was told to stop. What it was to write is of no use; what threads keep from call to call is as good as ever.
struct Stopped : std::exception {
  const char* what() const noexcept override { return "the call was told to stop"; }
};

class Stop {
 public:
  void set() noexcept { set_.store(true, std::memory_order_relaxed); }
  bool is_set() const noexcept { return set_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> set_{false};
};

// Who may stop the calls of a thread.
struct StopSource {
  const Stop* told = nullptr;    // by whoever has it
  const Stop* beside = nullptr;  // by another share of the same parallel_for
  void (*poll)() = nullptr;      // called at every kPollEvery-th look; throws Stopped, or what derives from it
};

// What check_stop looks at on this thread; parallel_for hands it on to its threads, but for the poll.
StopSource stop_source() noexcept;
void set_stop_source(const StopSource& source) noexcept;

// For as long as it lives. StopScope whole({}) is for what must not be left half done.
class StopScope {
 public:
  explicit StopScope(const StopSource& source) noexcept : before_(stop_source()) { set_stop_source(source); }
  ~StopScope() { set_stop_source(before_); }
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  StopSource before_;
};

constexpr unsigned kPollEvery = 16;

// Throws Stopped where this thread is to stop. Two loads: for places a few microseconds to milliseconds apart.
void check_stop();

// Samples of a recursion between two looks.
constexpr std::size_t kStopPiece = 4096;

// run(begin, end) for consecutive pieces of [first, n), with a look before each.
template <class Run>
void in_pieces(std::size_t first, std::size_t n, std::size_t piece, const Run& run) {
  for (std::size_t begin = first; begin < n; begin += piece) {
    check_stop();
    run(begin, std::min(n, begin + piece));
  }
}

}  // namespace rpsd
