// SPDX-License-Identifier: MIT
// Which instruction sets were built, which this processor and system can run, and which one is in use.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "../../kernels/kernels.hpp"

namespace rpsd {

// The table in use: the best supported one, or what the environment variable RPSD_ISA names, chosen once.
// Throws std::invalid_argument where RPSD_ISA is unknown, not built or not supported here, on every call.
const kernels::Kernels& active_kernels();

template <class T>
const kernels::Table<T>& active_table();

// The recursions for as many lanes: of up to half a bundle by vectors of half a bundle where those in use hold a whole
// one. A step waits for a division, which takes longer in wider registers, whatever their lanes hold.
const kernels::StateSpaceTable& state_space_kernels(std::size_t lanes);

// Built and supported here, worst first; "baseline" is always there.
std::vector<std::string> supported_isas();

}  // namespace rpsd
