// SPDX-License-Identifier: MIT
#include "rpsd/view.hpp"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace rpsd {

Memory allocate_memory(std::size_t size) {
  constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{1} << 21;
  const std::size_t alignment = size >= 2 * kHugePage ? kHugePage : kCacheLine;
  const Memory memory{::operator new(size, std::align_val_t{alignment}), alignment};
#if defined(__linux__)
  // Only a wish: without it, or without huge pages, all is the same but slower.
  if (alignment == kHugePage) madvise(memory.bytes, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return memory;
}

void free_memory(Memory memory) noexcept {
  if (memory.bytes != nullptr) ::operator delete(memory.bytes, std::align_val_t{memory.alignment});
}

}  // namespace rpsd
