// SPDX-License-Identifier: MIT
// The floating-point mode of the processor: the default, for as long as it lives.
#pragma once

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace rpsd {

// Another library may have set this thread to take denormal numbers for zero (FTZ, DAZ: torch.set_flush_denormal, or
// what was linked with -ffast-math), or to round otherwise; results must not depend on that. Whoever set it has it
// back at the end.
class DefaultFloatMode {
 public:
  DefaultFloatMode() noexcept : before_(get()) {
    if ((before_ & kMode) != kDefault) set((before_ & ~kMode) | kDefault);
  }
  ~DefaultFloatMode() {
    if ((before_ & kMode) != kDefault) set(before_);
  }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
#if defined(__SSE2__) || defined(_M_X64)  // MXCSR: FTZ, rounding, masks of exceptions, DAZ
  using Register = unsigned;
  static constexpr Register kMode = 1u << 15 | 3u << 13 | 63u << 7 | 1u << 6, kDefault = 63u << 7;
  static Register get() noexcept { return _mm_getcsr(); }
  static void set(Register value) noexcept { _mm_setcsr(value); }
#elif defined(__aarch64__)  // FPCR: DN, FZ, rounding, traps
  using Register = unsigned long;
  static constexpr Register kMode = 1ul << 25 | 1ul << 24 | 3ul << 22 | 31ul << 8, kDefault = 0;
  static Register get() noexcept {
    Register value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set(Register value) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Register = unsigned;
  static constexpr Register kMode = 0, kDefault = 0;
  static Register get() noexcept { return 0; }
  static void set(Register) noexcept {}
#endif

  const Register before_;
};

}  // namespace rpsd
