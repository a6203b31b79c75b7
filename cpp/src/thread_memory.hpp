// SPDX-License-Identifier: MIT
// Memory that a thread keeps from one call to the next.
#pragma once

// GCC for Windows emulates thread_local, and may free the memory before the destructors run (GCC bug 80816).
#if defined(__MINGW32__) && !defined(__clang__)
#define RPSD_THREAD_KEYS 1
#include <pthread.h>

#include <memory>
#include <new>
#endif

namespace rpsd {

// The calling thread's T, made when first asked for and destroyed with the thread. There is one of each type: uses
// that overlap need types of their own.
template <class T>
T& of_this_thread() {
#if defined(RPSD_THREAD_KEYS)
  static const pthread_key_t key = [] {
    pthread_key_t made;
    if (pthread_key_create(&made, [](void* memory) { delete static_cast<T*>(memory); }) != 0) throw std::bad_alloc();
    return made;
  }();
  if (void* const memory = pthread_getspecific(key)) return *static_cast<T*>(memory);
  auto made = std::make_unique<T>();
  if (pthread_setspecific(key, made.get()) != 0) throw std::bad_alloc();
  return *made.release();
#else
  thread_local T memory;
  return memory;
#endif
}

}  // namespace rpsd
