// SPDX-License-Identifier: MIT
// The filters of an orthogonal wavelet from its scaling filter, without the tables of the Python layer.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/wavelet.hpp"

inline rpsd::FilterBank orthogonal(const std::vector<double>& rec_lo) {
  rpsd::FilterBank bank;
  bank.rec_lo = rec_lo;
  bank.dec_lo.assign(rec_lo.rbegin(), rec_lo.rend());
  for (std::size_t k = 0; k < rec_lo.size(); ++k)
    bank.rec_hi.push_back(k % 2 == 0 ? bank.dec_lo[k] : -bank.dec_lo[k]);
  bank.dec_hi.assign(bank.rec_hi.rbegin(), bank.rec_hi.rend());
  return bank;
}
