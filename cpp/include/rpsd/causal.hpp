// SPDX-License-Identifier: MIT
// The default method and the local level with a fixed lag: what the causal price model makes of series as they come, in
// either space and precision, session by session.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/causal_price.hpp"
#include "rpsd/options.hpp"
#include "rpsd/windowed.hpp"

namespace rpsd {

// y[t] is the estimate of x[t] from x[..t + lookahead] of its session. NaN where x is missing and at the last `lookahead`
// samples. Immutable; runs from any number of threads at once.
template <class T>
class Causal {
 public:
  // options: method auto or kalman.
  Causal(const Options& options, std::size_t lookahead);

  // x -> y, which lies apart from it. As Denoiser::operator().
  void operator()(Batch<const T> x, Batch<T> y, WindowedReport* reports, int threads,
                  const std::vector<std::size_t>& starts = {}) const;

  // The same in pieces of any size: x[0..n) goes on where a state of state_size() doubles stands, and y[j] belongs to the
  // sample `lookahead` before x[j]; NaN where there is none. y may be x. Throws as operator() does, with the positions
  // of the stream, and nothing has changed then.
  std::size_t state_size() const noexcept { return model_.state_size() + model_.lookahead() + 1; }
  void start(double* state) const noexcept;
  void push(double* state, const T* x, std::size_t n, T* y) const;
  // One such push for each of many series, to the bit; faster where they stand alike, as CausalModel::push_rows. Errors
  // name the row.
  void push_rows(double* const* states, const T* const* x, std::size_t rows, std::size_t n, T* const* y) const;

  CausalReport report(const double* state) const noexcept { return model_.report(state); }

 private:
  void check(const T* x, std::size_t n, std::size_t row, std::size_t rows, std::size_t offset) const;
  double modelled(T x) const noexcept;
  T given_back(double estimate, T x) const noexcept;
  void give(double* state, const T* x, std::size_t n, const double* estimates, T* y) const;
  void run(Batch<const T> x, Batch<T> y, std::size_t first, std::size_t rows, WindowedReport* reports,
           const std::vector<std::size_t>& starts) const;
  WindowedReport finish(const T* x, std::size_t n, T* y, const CausalReport& found) const;

  Options options_;
  CausalModel model_;
};

}  // namespace rpsd
