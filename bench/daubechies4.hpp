// SPDX-License-Identifier: MIT
// Daubechies' least-phase filter of four vanishing moments, for the benchmarks in C++, and orthogonal banks in general.
#pragma once

#include <vector>

#include "rpsd/wavelet.hpp"

namespace bench {

// The other filters of an orthogonal bank follow from the low-pass of the reconstruction.
inline rpsd::FilterBank orthogonal(const std::vector<double>& lo) {
  rpsd::FilterBank bank{{lo.rbegin(), lo.rend()}, {}, lo, {}};
  for (std::size_t k = 0; k < lo.size(); ++k) {
    bank.dec_hi.push_back(k % 2 == 0 ? -lo[k] : lo[k]);
    bank.rec_hi.push_back(k % 2 == 0 ? lo[lo.size() - 1 - k] : -lo[lo.size() - 1 - k]);
  }
  return bank;
}

// Daubechies 1992, table 6.1.
inline rpsd::FilterBank daubechies4() {
  return orthogonal({0.2303778133088965, 0.7148465705529157, 0.6308807679298589, -0.027983769416859854,
                     -0.18703481171909309, 0.030841381835560764, 0.0328830116668852, -0.010597401785069032});
}

}  // namespace bench
