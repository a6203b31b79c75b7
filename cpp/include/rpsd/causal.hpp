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

struct SpikeGuard;

// The error variance of a steady filter with a fixed lag, in units of the noise's; r: noise to step variance.
double lagged_error(double r, std::size_t lag) noexcept;

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

  // The same for series that are still coming, each with a state of state_size() doubles: x[0..n), checked before, goes on
  // where the state stands, and y[j] belongs to the sample `lookahead` before x[j]; NaN where there is none. y may be x.
  // Nothing here allocates.
  std::size_t state_size() const noexcept;
  void start(double* state) const noexcept;
  void begin_session(double* state, double* scratch) const;  // scratch: as flush
  void push(double* state, const T* x, std::size_t n, T* y) const;

  // The values of the last `lookahead` samples if the session ended here. scratch holds model_size() + lookahead doubles.
  std::size_t model_size() const noexcept { return model_.state_size(); }
  void flush(const double* state, double* scratch, T* y) const;

  // Throws as operator() does; offset: of x[0] in its series.
  void check(const T* x, std::size_t n, std::size_t row, std::size_t rows, std::size_t offset) const;
  // Whether doubles from elsewhere can be a state: what counts places does.
  bool is_state(const double* state) const noexcept;
  CausalReport report(const double* state) const noexcept { return model_.report(state); }

 private:
  double modelled(T x) const noexcept;
  double guarded(T x, SpikeGuard& guard) const noexcept;
  double* guard_of(double* state) const noexcept;
  T given_back(double estimate, T x) const noexcept;
  void give(double* state, std::size_t seen, const T* x, std::size_t n, const double* estimates, T* y) const;
  void run(Batch<const T> x, Batch<T> y, std::size_t first, std::size_t rows, WindowedReport* reports,
           const std::vector<std::size_t>& starts) const;
  WindowedReport finish(const T* x, std::size_t n, T* y, const CausalReport& found) const;

  Options options_;
  CausalModel model_;
};

}  // namespace rpsd
