// SPDX-License-Identifier: MIT
// A bank of series that are still coming: samples in, values out, with the bits of a run over the whole series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rpsd/options.hpp"
#include "rpsd/view.hpp"
#include "rpsd/windowed.hpp"

namespace rpsd {

// What comes out while an alarm of drift stands that is a breach, of noise, missing or stale (rpsd/drift.hpp): the estimate,
// the sample itself, the last estimate before it, or an error at the next push.
enum class OnBreach { report, raw, hold, raise };
OnBreach parse_on_breach(const std::string& name);

// What is known of one series now; standard deviations in its units, NaN where they are not known.
struct StreamReport {
  std::size_t samples, missing;  // pushed, missing ones included, and how many of them were missing
  double noise_sd;
  double step_sd;      // NaN with windows
  double gate;         // 0: the series is left alone, 1: denoised; NaN with windows
  std::size_t resets;  // how often the noise or the steps were found to have changed
  double noise_ratio;  // recent mean absolute residual to what the model expects; NaN where it expects none
  double missing_rate, lag;  // recent ones; see DriftReport
  unsigned alarms;     // that stand: bit i of Drift i
};

class StreamWatch;

// What goes wrong leaves every series as it was: each call looks at all samples first. No push allocates once every series
// has filled its window. For one caller at a time, whose series are shared out to `threads` (0: one for each processor).
class Stream {
 public:
  // Of any method, with a fixed lag; window and min_periods are those of wavelets and of FIR filters.
  Stream(const Options& options, const WindowOptions& windows, std::size_t series, OnBreach on_breach = OnBreach::report);
  ~Stream();

  std::size_t series() const noexcept { return series_.size(); }
  std::size_t lookahead() const noexcept { return lookahead_; }

  // Row i of x goes on with series rows[i], each of which is there once; rows null: all, in order. y[i, j] belongs to the
  // sample `lookahead` before x[i, j]; NaN where there is none. y lies apart from x. Throws std::invalid_argument as Windowed and
  // Causal do, and for rows that are none; std::logic_error where a breach stands that is to raise.
  void push(const std::uint64_t* rows, Batch<const double> x, Batch<double> y, int threads = 1);

  // The same in place of the last sample of each: one a row. Throws std::logic_error where there is none.
  void amend(const std::uint64_t* rows, Batch<const double> x, Batch<double> y, int threads = 1);

  // The next sample of each of these series is the first of a session: nothing before it counts from there on, and the
  // last values of the session that ended are those at its end.
  void begin_session(const std::uint64_t* rows, std::size_t count);

  // Takes these series as they are from now on for what they should be: no alarm stands any more.
  void acknowledge(const std::uint64_t* rows, std::size_t count);

  // The values of the last `lookahead` samples of each series if its session ended here, oldest first.
  void flush(Batch<double> y) const;

  StreamReport report(std::size_t row) const noexcept;

  // All there is to know, what amend goes back to included, as bytes that any platform reads; and back, into a stream
  // of the same options. Throws std::invalid_argument for bytes that are not those of such a stream, which is then of no
  // use.
  std::vector<std::uint8_t> save() const;
  void load(const std::uint8_t* bytes, std::size_t size);

 private:
  class States;
  class Prices;
  class Windows;
  struct Mark {
    std::uint64_t samples = 0, missing = 0;
    bool begins = false;  // the next sample is the first of a session
  };
  struct Series {
    Mark now, before;  // before: ahead of the last sample
    std::uint64_t call = 0;  // the last one that it was named in
    bool amendable = false;
  };
  void require_rows(const std::uint64_t* rows, std::size_t count);
  void check(const std::uint64_t* rows, Batch<const double> x) const;
  void require_trust(const std::uint64_t* rows, std::size_t count) const;
  void swap(const std::uint64_t* rows, std::size_t count) noexcept;
  void advance(std::size_t row, const double* x, std::size_t n, double* y);

  std::size_t lookahead_;
  std::vector<Series> series_;
  std::unique_ptr<States> states_;
  std::unique_ptr<StreamWatch> watch_;
  std::uint64_t calls_ = 0;
};

}  // namespace rpsd
