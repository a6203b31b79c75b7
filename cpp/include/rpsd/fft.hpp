// SPDX-License-Identifier: MIT
// Discrete Fourier transform of any length, for the guardrails' spectrum.
#pragma once

#include <complex>
#include <cstddef>
#include <vector>

namespace rpsd {

// X[k] = sum_t z[t] exp(-2 pi i k t / n) for k < n, in place. Powers of two by radix 2, other lengths by
// Bluestein's chirp (Bluestein 1970) over them.
void dft(std::vector<std::complex<double>>& z);

}  // namespace rpsd
