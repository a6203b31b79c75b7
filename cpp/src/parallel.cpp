// SPDX-License-Identifier: MIT
#include "rpsd/parallel.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

#include "rpsd/float_mode.hpp"
#include "rpsd/stop.hpp"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(RPSD_OPENMP)
#include <omp.h>
#include <pthread.h>

#include <atomic>
#endif

namespace rpsd {
namespace {

// What the shares of a call have in common.
struct Shares {
  std::size_t n, workers;
  const Body& body;
  StopSource source;  // the caller's
  Stop stopped;       // a share was told to stop: the others end as well
  std::vector<std::exception_ptr> errors;
};

// Share w of [0, n) among the workers, as even as can be.
void run_share(Shares& shares, std::size_t w) noexcept {
  const std::size_t n = shares.n, workers = shares.workers;
  const std::size_t base = n / workers, extra = n % workers;
  const std::size_t begin = w * base + std::min(w, extra);
  const std::size_t end = begin + base + (w < extra ? 1 : 0);
  const DefaultFloatMode mode;  // a thread has its maker's, a kept one that of long ago
  // The caller's own share is the first.
  const StopScope scope({shares.source.told, &shares.stopped, w == 0 ? shares.source.poll : nullptr});
  try {
    shares.body(begin, end);
  } catch (const Stopped&) {
    shares.stopped.set();
    shares.errors[w] = std::current_exception();
  } catch (...) {
    shares.errors[w] = std::current_exception();
  }
}

void run_on_threads(Shares& shares) {
  const std::size_t workers = shares.workers;
  std::vector<std::thread> threads;
  threads.reserve(workers - 1);
  std::size_t started = 1;
  try {
    for (; started < workers; ++started) {
      const std::size_t w = started;
      threads.emplace_back([&, w] { run_share(shares, w); });
    }
  } catch (const std::system_error&) {
    // The system gives no more threads: the caller does the shares that are left.
  }
  run_share(shares, 0);
  for (std::size_t w = started; w < workers; ++w) run_share(shares, w);
  for (auto& thread : threads) thread.join();
}

#if defined(RPSD_OPENMP)
// libgomp keeps its worker threads; after fork() the child has none of them and a parallel region would wait for
// ever. Whoever started them, rpsd or another library, a forked child therefore runs on std::thread. Registered when
// the library is loaded, so that no fork is missed.
std::atomic<bool> forked{false};
const bool fork_is_watched = pthread_atfork(nullptr, nullptr, [] { forked.store(true); }) == 0;

bool openmp_is_safe() { return fork_is_watched && !forked.load(); }
#endif

}  // namespace

int processor_count() noexcept {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

const char* thread_backend() noexcept {
#if defined(RPSD_OPENMP)
  return "openmp";
#else
  return "std::thread";
#endif
}

void parallel_for(std::size_t n, int threads, const Body& body) {
  if (n == 0) return;
  const auto wanted = static_cast<std::size_t>(threads == 0 ? processor_count() : threads);
  const std::size_t workers = std::min(wanted, n);
  if (workers <= 1) {
    body(0, n);
    return;
  }
  Shares shares{n, workers, body, stop_source(), {}, std::vector<std::exception_ptr>(workers)};
#if defined(RPSD_OPENMP)
  if (openmp_is_safe()) {
    const int count = static_cast<int>(workers);
#pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int w = 0; w < count; ++w) run_share(shares, static_cast<std::size_t>(w));
  } else {
    run_on_threads(shares);
  }
#else
  run_on_threads(shares);
#endif
  for (const auto& error : shares.errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace rpsd
