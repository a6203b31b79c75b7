// SPDX-License-Identifier: MIT
// The smallest test harness that counts: CHECK goes on after a failure, failed() is main's exit code.
#pragma once

#include <cstdio>

inline int& failure_count() {
  static int count = 0;
  return count;
}

inline int failed() {
  if (failure_count() > 0) std::fprintf(stderr, "%d checks failed\n", failure_count());
  return failure_count() > 0 ? 1 : 0;
}

#define CHECK(condition)                                                                \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      ++failure_count();                                                                \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                                   \
  } while (false)
