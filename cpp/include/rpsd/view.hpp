// SPDX-License-Identifier: MIT
// Borrowed batches of equally long series, and scratch memory that is kept between calls.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace rpsd {

// rows series of length samples each; a series is contiguous, series lie stride samples apart.
template <class T>
struct Batch {
  T* data;
  std::size_t rows;
  std::size_t length;
  std::size_t stride;

  T* row(std::size_t i) const noexcept { return data + i * stride; }
};

// Uninitialised memory on cache-line boundaries that grows and is never given back while its owner lives.
template <class T>
class Buffer {
 public:
  T* get(std::size_t n) {
    if (n > capacity_) {
      memory_.reset();
      capacity_ = 0;
      memory_.reset(static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{kAlignment})));
      capacity_ = n;
    }
    return memory_.get();
  }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(T* p) const noexcept { ::operator delete(p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace rpsd
