// SPDX-License-Identifier: MIT
// Which instruction sets were built, which this processor and system can run, and which one is in use.
#pragma once

#include <string>
#include <vector>

#include "../../kernels/kernels.hpp"

namespace rpsd {

// The table in use: the best supported one, or what the environment variable RPSD_ISA names, chosen once.
// Throws std::invalid_argument where RPSD_ISA is unknown, not built or not supported here, on every call.
const kernels::Kernels& active_kernels();

template <class T>
const kernels::Table<T>& active_table();

// Built and supported here, worst first; "baseline" is always there.
std::vector<std::string> supported_isas();

}  // namespace rpsd
