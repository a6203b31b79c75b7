// SPDX-License-Identifier: MIT
// The kernel tables that this build has and this machine can run, the baseline first.
#pragma once

#include <vector>

#include "rpsd/cpu.hpp"

inline std::vector<const rpsd::kernels::Kernels*> tables_here() {
  std::vector<const rpsd::kernels::Kernels*> tables;
  for (const auto& name : rpsd::supported_isas()) {
    if (name == "baseline") tables.push_back(rpsd_kernels_baseline());
#if defined(RPSD_HAVE_V3)
    if (name == "v3") tables.push_back(rpsd_kernels_v3());
#endif
#if defined(RPSD_HAVE_V4)
    if (name == "v4") tables.push_back(rpsd_kernels_v4());
#endif
  }
  return tables;
}
