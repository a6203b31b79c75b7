// SPDX-License-Identifier: MIT
#include "rpsd/cpu.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#if defined(__x86_64__) || defined(_M_X64)
#define RPSD_X86_64 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace rpsd {
namespace {

#if defined(RPSD_X86_64)
struct Registers {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  Registers r;
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<std::uint32_t>(out[0]), static_cast<std::uint32_t>(out[1]),
       static_cast<std::uint32_t>(out[2]), static_cast<std::uint32_t>(out[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
#endif
  return r;
}

// The register state that the operating system saves (XCR0).
std::uint64_t saved_state() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
#endif
}

constexpr bool all_of(std::uint32_t value, std::uint32_t bits) { return (value & bits) == bits; }
constexpr std::uint32_t bit(int n) { return std::uint32_t{1} << n; }

// The whole x86-64-v3 and v4 sets of the psABI: the compiler may use any of them.
struct Tiers {
  bool v3 = false, v4 = false;
};

Tiers detect() {
  Tiers tiers;
  const std::uint32_t highest = cpuid(0, 0).a, highest_extended = cpuid(0x80000000u, 0).a;
  if (highest < 7 || highest_extended < 0x80000001u) return tiers;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), extended = cpuid(0x80000001u, 0);
  // SSE3, SSSE3, FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C
  const std::uint32_t v3_one = bit(0) | bit(9) | bit(12) | bit(13) | bit(19) | bit(20) | bit(22) | bit(23) |
                               bit(27) | bit(28) | bit(29);
  const std::uint32_t v3_seven = bit(3) | bit(5) | bit(8);   // BMI1, AVX2, BMI2
  const std::uint32_t v3_extended = bit(0) | bit(5);         // LAHF, LZCNT
  const std::uint32_t v4_seven = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);  // AVX512 F, DQ, CD, BW, VL
  if (!all_of(one.c, v3_one) || !all_of(seven.b, v3_seven) || !all_of(extended.c, v3_extended)) return tiers;
  const std::uint64_t state = saved_state();
  tiers.v3 = (state & 0x6) == 0x6;                                              // XMM, YMM
  tiers.v4 = tiers.v3 && all_of(seven.b, v4_seven) && (state & 0xE0) == 0xE0;   // opmask, ZMM
  return tiers;
}
#endif

std::vector<const kernels::Kernels*> supported() {
  std::vector<const kernels::Kernels*> tables = {rpsd_kernels_baseline()};
#if defined(RPSD_X86_64)
  [[maybe_unused]] static const Tiers tiers = detect();
#if defined(RPSD_HAVE_V3)
  if (tiers.v3) tables.push_back(rpsd_kernels_v3());
#endif
#if defined(RPSD_HAVE_V4)
  if (tiers.v4) tables.push_back(rpsd_kernels_v4());
#endif
#endif
  return tables;
}

const kernels::Kernels* choose() {
  const auto tables = supported();
  const char* forced = std::getenv("RPSD_ISA");
  if (forced == nullptr) return tables.back();
  std::string allowed;
  for (const auto* table : tables) {
    if (table->isa == std::string(forced)) return table;
    allowed += allowed.empty() ? table->isa : std::string(", ") + table->isa;
  }
  const std::string name(forced);
  const bool known = name == "baseline" || name == "v3" || name == "v4";
  throw std::invalid_argument("RPSD_ISA must name an instruction set " +
                              std::string(known ? "that this machine and build support" : "tier") + ", got \"" +
                              name + "\"; allowed here: " + allowed);
}

}  // namespace

const kernels::Kernels& active_kernels() {
  static std::atomic<const kernels::Kernels*> chosen{nullptr};
  const kernels::Kernels* table = chosen.load(std::memory_order_acquire);
  if (table == nullptr) {
    table = choose();
    chosen.store(table, std::memory_order_release);
  }
  return *table;
}

template <>
const kernels::Table<double>& active_table<double>() {
  return active_kernels().f64;
}

template <>
const kernels::Table<float>& active_table<float>() {
  return active_kernels().f32;
}

const kernels::StateSpaceTable& state_space_kernels([[maybe_unused]] std::size_t lanes) {
  const kernels::Kernels& active = active_kernels();
#if defined(RPSD_HAVE_V4)
  if (2 * lanes <= kernels::kBundle && &active == rpsd_kernels_v4()) return rpsd_kernels_v3()->state_space;
#endif
  return active.state_space;
}

std::vector<std::string> supported_isas() {
  std::vector<std::string> names;
  for (const auto* table : supported()) names.emplace_back(table->isa);
  return names;
}

}  // namespace rpsd
