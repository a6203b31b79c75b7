// SPDX-License-Identifier: MIT
// The one place that owns threads.
#pragma once

#include <cstddef>

namespace rpsd {

// What parallel_for calls: borrowed for the call, so that nothing is allocated for it, as std::function would for most.
class Body {
 public:
  template <class F>
  Body(const F& f) noexcept
      : of_(&f), call_([](const void* of, std::size_t begin, std::size_t end) { (*static_cast<const F*>(of))(begin, end); }) {}

  void operator()(std::size_t begin, std::size_t end) const { call_(of_, begin, end); }

 private:
  const void* of_;
  void (*call_)(const void*, std::size_t, std::size_t);
};

// Calls body(begin, end) for contiguous shares of [0, n), on up to `threads` threads (0: one for each processor).
// A body must not depend on how [0, n) is shared out. Where bodies throw, the exception of the lowest share is
// rethrown after all have ended; where one was stopped (stop.hpp), the others stop as well. threads = 1 runs on the
// caller's thread.
void parallel_for(std::size_t n, int threads, const Body& body);

// "openmp" or "std::thread".
const char* thread_backend() noexcept;

// Processors that this process may run on.
int processor_count() noexcept;

}  // namespace rpsd
