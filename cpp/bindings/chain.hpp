// SPDX-License-Identifier: MIT
// The denoiser as Python holds it, and what it found as Python gets it.
#pragma once

#include <cstdint>

#include "arrays.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/windowed.hpp"

namespace rpsd::python {

// One validated chain for both dtypes.
struct Chain {
  Options options;
  Denoiser<double> f64;
  Denoiser<float> f32;
  explicit Chain(const Options& chosen) : options(chosen), f64(chosen), f32(chosen) {}
};

inline void require_starts(const std::vector<std::size_t>& starts, std::size_t length) {
  for (std::size_t i = 0; i < starts.size(); ++i)
    if (starts[i] <= (i == 0 ? 0 : starts[i - 1]) || starts[i] >= length)
      throw std::invalid_argument("starts must ascend within the series, got " + std::to_string(starts[i]));
}

inline py::tuple report_table(const std::vector<SeriesReport>& reports) {
  const auto n = static_cast<py::ssize_t>(reports.size());
  Array<double> noise_sd(n), step_sd(n), gain_db(n), causal_gain_db(n), gain_probability(n);
  Array<std::int64_t> level(n), missing(n), action(n);
  for (py::ssize_t i = 0; i < n; ++i) {
    const auto& r = reports[static_cast<std::size_t>(i)];
    noise_sd.mutable_at(i) = r.noise_sd;
    level.mutable_at(i) = r.level;
    missing.mutable_at(i) = static_cast<std::int64_t>(r.missing);
    action.mutable_at(i) = static_cast<std::int64_t>(r.changed && r.price.action != PriceAction::cleaned ? PriceAction::denoised
                                                        : r.price.action);
    step_sd.mutable_at(i) = r.price.step_sd;
    gain_db.mutable_at(i) = r.price.gain_db;
    causal_gain_db.mutable_at(i) = r.price.causal_gain_db;
    gain_probability.mutable_at(i) = r.price.gain_probability;
  }
  return py::make_tuple(noise_sd, level, missing, action, step_sd, gain_db, causal_gain_db, gain_probability);
}

// What a run with a fixed lag found, and the samples of each series that have no value.
inline py::tuple report_table(const std::vector<WindowedReport>& reports) {
  std::vector<SeriesReport> series;
  Array<std::int64_t> warmup(static_cast<py::ssize_t>(reports.size()));
  for (const WindowedReport& report : reports) {
    warmup.mutable_at(static_cast<py::ssize_t>(series.size())) = static_cast<std::int64_t>(report.warmup);
    series.push_back(report.series);
  }
  return py::make_tuple(report_table(series), warmup);
}

// x -> out by what runs over a batch: the offline chain, windows or state machines, and its kind of report.
template <class Report, class Method, class T>
py::tuple run_batch(const Method& method, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts,
                    int threads) {
  require_threads(threads);
  require_same_shape(x, out, "out");
  const auto in = borrow<T>(x, "x");
  const auto to = borrow_writable<T>(out, "out");
  require_starts(starts, in.length);
  std::vector<Report> reports(in.rows);
  {
    const Computing computing;
    method(in, to, reports.data(), threads, starts);
  }
  return report_table(reports);
}

}  // namespace rpsd::python
