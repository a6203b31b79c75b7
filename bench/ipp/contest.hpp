// SPDX-License-Identifier: MIT
// Contestants that run turn by turn on one thread, and their times as JSON.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "ipp.h"

namespace bench {

inline void require(IppStatus status, const char* what) {
  if (status >= ippStsNoErr) return;  // above are warnings, such as a processor that is not Intel's
  std::fprintf(stderr, "%s: %s\n", what, ippGetStatusString(status));
  std::exit(1);
}

// Memory of which IPP tells the size, on a cache line's boundary.
class IppMemory {
 public:
  Ipp8u* resize(int bytes) {
    bytes_.resize(static_cast<std::size_t>(bytes) + 64);
    return bytes_.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes_.data()) % 64) % 64;
  }

 private:
  std::vector<Ipp8u> bytes_;
};

struct Contestant {
  std::string who;
  std::function<void()> run;
};

// One JSON list of {"group", "who", "samples", "ns", "least"}: median and least time of many runs, in ns a sample.
class Results {
 public:
  Results() { std::printf("["); }
  ~Results() { std::printf("]\n"); }

  void measure(const std::string& group, std::size_t samples, const std::vector<Contestant>& contestants) {
    using Clock = std::chrono::steady_clock;
    const auto rounds = std::clamp<std::size_t>(40'000'000 / samples, 9, 2000);
    std::vector<std::vector<double>> times(contestants.size());
    for (const auto& contestant : contestants) contestant.run();
    for (std::size_t round = 0; round < rounds; ++round)
      for (std::size_t c = 0; c < contestants.size(); ++c) {
        const auto start = Clock::now();
        contestants[c].run();
        const std::chrono::duration<double, std::nano> taken = Clock::now() - start;
        times[c].push_back(taken.count() / static_cast<double>(samples));
      }
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      std::sort(times[c].begin(), times[c].end());
      std::printf("%s{\"group\": \"%s\", \"who\": \"%s\", \"samples\": %zu, \"ns\": %.4f, \"least\": %.4f}", separator_,
                  group.c_str(), contestants[c].who.c_str(), samples, times[c][rounds / 2], times[c][0]);
      separator_ = ",\n";
    }
  }

 private:
  const char* separator_ = "";
};

}  // namespace bench
