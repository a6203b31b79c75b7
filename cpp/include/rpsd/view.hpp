// SPDX-License-Identifier: MIT
// Borrowed batches of equally long series, and scratch memory that is kept between calls.
#pragma once

#include <cstddef>

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

// Bytes for scratch: on cache-line boundaries; large ones on boundaries of huge pages, which Linux is asked to use:
// a first pass over them then takes a five-hundredth of the page faults.
struct Memory {
  void* bytes = nullptr;
  std::size_t alignment = 0;
};
Memory allocate_memory(std::size_t size);
void free_memory(Memory memory) noexcept;

// Uninitialised memory that grows and is never given back while its owner lives.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { free_memory(memory_); }

  T* get(std::size_t n) {
    if (n > capacity_) {
      free_memory(memory_);
      memory_ = {};
      capacity_ = 0;
      memory_ = allocate_memory(n * sizeof(T));
      capacity_ = n;
    }
    return static_cast<T*>(memory_.bytes);
  }

 private:
  Memory memory_;
  std::size_t capacity_ = 0;
};

}  // namespace rpsd
