// SPDX-License-Identifier: MIT
// The one place that owns threads.
#pragma once

#include <cstddef>
#include <functional>

namespace rpsd {

// Calls body(begin, end) for contiguous shares of [0, n), on up to `threads` threads (0: one for each processor).
// A body must not depend on how [0, n) is shared out. Where bodies throw, the exception of the lowest share is
// rethrown after all have ended. threads = 1 runs on the caller's thread.
void parallel_for(std::size_t n, int threads, const std::function<void(std::size_t, std::size_t)>& body);

// "openmp" or "std::thread".
const char* thread_backend() noexcept;

// Processors that this process may run on.
int processor_count() noexcept;

}  // namespace rpsd
