// SPDX-License-Identifier: MIT
// parallel_for covers each index once, passes exceptions on and, with the argument "fork", survives a fork.
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "rpsd/parallel.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

bool covers_once(std::size_t n, int threads) {
  std::vector<std::atomic<int>> seen(n);
  rpsd::parallel_for(n, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) ++seen[i];
  });
  for (const auto& count : seen)
    if (count != 1) return false;
  return true;
}

void check_exceptions() {
  for (const int threads : {1, 2, 7}) {
    std::string message;
    try {
      rpsd::parallel_for(100, threads, [](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
          if (i == 40 || i == 90) throw std::invalid_argument(std::to_string(i));
      });
    } catch (const std::invalid_argument& error) {
      message = error.what();
    }
    CHECK(message == "40");
  }
}

#if defined(__unix__) || defined(__APPLE__)
// In a child of a process whose threads have worked.
void check_fork() {
  CHECK(covers_once(1000, 4));
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a hang ends the child, and the check below tells
    _exit(covers_once(1000, 4) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

}  // namespace

int main(int count, char** arguments) {
#if defined(__unix__) || defined(__APPLE__)
  if (count == 2 && std::strcmp(arguments[1], "fork") == 0) {
    check_fork();
    return failed();
  }
#endif
  if (count > 1) {
    std::fprintf(stderr, "unknown argument: %s\n", arguments[1]);
    return 2;
  }
  for (const std::size_t n : {0, 1, 2, 3, 7, 100, 1001})
    for (const int threads : {0, 1, 2, 3, 7, 64}) CHECK(covers_once(n, threads));
  check_exceptions();

  std::vector<std::thread> callers;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i) callers.emplace_back([&] { good += covers_once(1000, 2) ? 1 : 0; });
  for (auto& caller : callers) caller.join();
  CHECK(good == 16);
  return failed();
}
