// SPDX-License-Identifier: MIT
// What is done to a series before anything is computed from it.
#pragma once

#include <cstddef>

#include "rpsd/view.hpp"

namespace rpsd {

// Where the first infinite sample is, and how many are NaN.
struct Gaps {
  std::size_t missing = 0;
  std::size_t first_missing = 0;
  std::size_t first_infinite;  // the length where there is none
};

template <class T>
Gaps find_gaps(const T* x, std::size_t n) noexcept;

// Replaces NaN by the line between its neighbours, at the ends by the nearest sample. Needs one sample that is not NaN.
template <class T>
void interpolate_missing(T* x, std::size_t n) noexcept;

// The moves y[t + 1] - y[t] -> out; returns how many. seen: 0 where a line stands for a missing sample (null: nowhere). Moves
// of lines say nothing of the others, and are left out unless moves between samples that are seen are few.
std::size_t moves_seen(const double* y, const double* seen, std::size_t n, double* out) noexcept;

// spike[t] = 1 where y[t] leaves its neighbours and comes back, else 0; never at an end. A sample is one where it is
// more than six robust standard deviations away from the median of its four neighbours, and both moves, there and
// back, are large and alike. n >= 3, y finite; scratch holds n; seen as of moves_seen, of these functions too.
void mark_spikes(const double* y, const double* seen, std::size_t n, double* spike, double* scratch,
                 Buffer<double>& selection);

// bad[t] = 1 for spikes, and for runs of up to three samples, of any signs, each more than twelve robust standard deviations
// away from the level before and the level after the run, which are alike. A move that stays is none.
void mark_bad_ticks(const double* y, const double* seen, std::size_t n, double* bad, double* scratch,
                    Buffer<double>& selection);

// Whether there is a run of two or three samples that stand apart by more than fifty robust standard deviations: no move that
// stays, and no burst of volatility, is so far away and comes back. Works on moves and scratch, of n each.
bool has_bad_run(const double* y, const double* seen, std::size_t n, double* moves, double* scratch,
                 Buffer<double>& selection);

// Clears bad[t] where y[t] does not stand apart from what is about it: outside what the samples kept before and after it span,
// by more than four times the second largest of the moves between the six kept on either side, and so until none is put
// back. A burst of volatility explains no sample any worse than its own moves do. Samples with seen[t] = 0 are skipped;
// scratch holds n.
void keep_apart(const double* y, const double* seen, std::size_t n, double* bad, double* scratch) noexcept;

// Squares of very large or very small numbers leave the range of double; such a series is worked on in other units.
// The exponent of the power of two to divide x by: 0 for any ordinary series. energy is its sum of squares. No NaN.
template <class T>
int unit_exponent(const T* x, std::size_t n, double energy) noexcept;

}  // namespace rpsd
