// SPDX-License-Identifier: MIT
#include "rpsd/stream.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "rpsd/causal.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "state_bytes.hpp"
#include "stream_watch.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct StreamScratch {
  Buffer<double> state;
};

std::size_t named(const std::uint64_t* rows, std::size_t i) noexcept { return rows == nullptr ? i : static_cast<std::size_t>(rows[i]); }

}  // namespace

// Where the series of a bank stand, and stood before their last samples.
class Stream::States {
 public:
  virtual ~States() = default;
  virtual void check(std::size_t row, bool begins, const double* x, std::size_t n, std::size_t rows, std::size_t offset) const = 0;
  virtual void mark(std::size_t row) = 0;            // amend goes back to here
  virtual void swap(std::size_t row) noexcept = 0;   // goes there, and back if there was no push
  virtual void push(std::size_t row, bool begins, const double* x, std::size_t n, double* y) = 0;
  virtual void flush(std::size_t row, double* y) const = 0;
  virtual void report(std::size_t row, StreamReport& report) const noexcept = 0;
  virtual void save(std::size_t row, StateWriter& to) const = 0;
  virtual void load(std::size_t row, const Series& series, StateReader& from) = 0;
};

// Two blocks of doubles for each series, used in turn.
class Stream::Prices final : public Stream::States {
 public:
  Prices(const Options& options, std::size_t lookahead, std::size_t series)
      : causal_(options, lookahead), blocks_(2 * series * causal_.state_size()), second_(series) {
    for (std::size_t i = 0; i < 2 * series; ++i) causal_.start(blocks_.data() + i * causal_.state_size());
  }
  void check(std::size_t row, bool, const double* x, std::size_t n, std::size_t rows, std::size_t offset) const override {
    causal_.check(x, n, row, rows, offset);
  }
  void mark(std::size_t row) override {
    std::copy_n(block(row, second_[row]), causal_.state_size(), block(row, !second_[row]));
    swap(row);
  }
  void swap(std::size_t row) noexcept override { second_[row] = !second_[row]; }
  void push(std::size_t row, bool begins, const double* x, std::size_t n, double* y) override {
    double* const state = block(row, second_[row]);
    if (begins) causal_.begin_session(state, scratch());
    causal_.push(state, x, n, y);
  }
  void flush(std::size_t row, double* y) const override { causal_.flush(block(row, second_[row]), scratch(), y); }
  void report(std::size_t row, StreamReport& report) const noexcept override {
    const CausalReport found = causal_.report(block(row, second_[row]));
    report.noise_sd = found.noise_sd;
    report.step_sd = found.step_sd;
    report.gate = found.gate;
    report.resets = found.resets;
  }
  void save(std::size_t row, StateWriter& to) const override {
    for (const bool second : {second_[row] != 0, second_[row] == 0})
      for (std::size_t i = 0; i < causal_.state_size(); ++i) to.put(block(row, second)[i]);
  }
  void load(std::size_t row, const Series&, StateReader& from) override {
    for (const bool second : {false, true}) {
      for (std::size_t i = 0; i < causal_.state_size(); ++i) block(row, second)[i] = from.number();
      StateReader::require(causal_.is_state(block(row, second)));
    }
    second_[row] = 0;
  }

 private:
  const double* block(std::size_t row, bool second) const noexcept { return blocks_.data() + (2 * row + second) * causal_.state_size(); }
  double* block(std::size_t row, bool second) noexcept { return blocks_.data() + (2 * row + second) * causal_.state_size(); }
  double* scratch() const { return of_this_thread<StreamScratch>().state.get(causal_.state_size()); }

  Causal<double> causal_;
  std::vector<double> blocks_;
  std::vector<unsigned char> second_;  // whether a series stands in the second of its blocks
};

// What a window holds, and the few numbers to take its last sample back.
class Stream::Windows final : public Stream::States {
 public:
  Windows(const Options& options, const WindowOptions& windows, std::size_t series)
      : windowed_(options, windows), windows_(series) {}
  void check(std::size_t row, bool begins, const double* x, std::size_t n, std::size_t rows, std::size_t offset) const override {
    windowed_.check(windows_[row], begins, x, n, row, rows, offset);
  }
  void mark(std::size_t row) override { windows_[row].before = windows_[row].now; }
  void swap(std::size_t row) noexcept override { std::swap(windows_[row].now, windows_[row].before); }
  void push(std::size_t row, bool begins, const double* x, std::size_t n, double* y) override {
    windowed_.push(windows_[row], begins, x, n, y);
  }
  void flush(std::size_t row, double* y) const override { windowed_.flush(windows_[row], y); }
  void report(std::size_t row, StreamReport& report) const noexcept override {
    report.noise_sd = windows_[row].now.noise_sd;
    report.step_sd = report.gate = kNaN;
    report.resets = 0;
  }
  void save(std::size_t row, StateWriter& to) const override {
    const WindowState<double>& state = windows_[row];
    for (std::size_t i = state.now.end - std::min(state.now.end - state.first, windowed_.held()); i < state.now.end; ++i) {
      to.put(state.values[i]);
      to.put(static_cast<std::uint64_t>(state.ages[i]));
    }
    for (const auto* mark : {&state.now, &state.before}) {
      to.put(mark->carry.last);
      to.put(static_cast<std::uint64_t>(mark->carry.age));
      to.put(mark->noise_sd);
    }
  }
  void load(std::size_t row, const Series& series, StateReader& from) override {
    WindowState<double> state;
    const std::size_t size = std::min<std::uint64_t>(series.now.samples, windowed_.held());
    for (std::size_t i = 0; i < size; ++i) {
      state.values.push_back(from.number());
      state.ages.push_back(static_cast<std::ptrdiff_t>(from.integer()));
    }
    for (auto* mark : {&state.now, &state.before}) {
      mark->carry.last = from.number();
      mark->carry.age = static_cast<std::ptrdiff_t>(from.integer());
      mark->noise_sd = from.number();
    }
    state.now.end = size;
    state.before.end = size - series.amendable;
    StateReader::require(windowed_.is_state(state, series.now.samples));
    windows_[row] = std::move(state);
  }

 private:
  Windowed<double> windowed_;
  std::vector<WindowState<double>> windows_;
};

OnBreach parse_on_breach(const std::string& name) {
  if (name == "report") return OnBreach::report;
  if (name == "raw") return OnBreach::raw;
  if (name == "hold") return OnBreach::hold;
  if (name == "raise") return OnBreach::raise;
  throw std::invalid_argument("on_breach must be report, raw, hold or raise, got \"" + name + "\"");
}

Stream::Stream(const Options& options, const WindowOptions& windows, std::size_t series, OnBreach on_breach)
    : lookahead_(windows.lookahead), series_(series),
      watch_(std::make_unique<StreamWatch>(options.space, on_breach, windows.lookahead, series)) {
  if (options.method == rpsd::Method::wavelet)
    states_ = std::make_unique<Windows>(options, windows, series);
  else
    states_ = std::make_unique<Prices>(options, lookahead_, series);
}

Stream::~Stream() = default;

void Stream::require_rows(const std::uint64_t* rows, std::size_t count) {
  ++calls_;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = named(rows, i);
    if (row >= series() || series_[row].call == calls_)
      throw std::invalid_argument("indices must be from 0 to " + std::to_string(series() - 1) + ", each once");
    series_[row].call = calls_;
  }
}

void Stream::check(const std::uint64_t* rows, Batch<const double> x) const {
  for (std::size_t i = 0; i < x.rows && x.length > 0; ++i) {
    const std::size_t row = named(rows, i);
    const Mark& now = series_[row].now;
    states_->check(row, now.begins, x.row(i), x.length, series(), now.samples);
  }
}

void Stream::require_trust(const std::uint64_t* rows, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = named(rows, i);
    if (!watch_->refuses(row)) continue;
    std::string names;
    for (std::size_t k = 0; k < kDrifts; ++k)
      if (watch_->breaches(row) >> k & 1) names += std::string(names.empty() ? "" : ", ") + kDriftNames[k];
    throw std::logic_error("drift of series " + std::to_string(row) + " of " + std::to_string(series()) + ": " + names +
                           "; acknowledge it, or see health");
  }
}

void Stream::swap(const std::uint64_t* rows, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = named(rows, i);
    std::swap(series_[row].now, series_[row].before);
    states_->swap(row);
    watch_->swap(row);
  }
}

// The last of the samples by itself: amend replaces it.
void Stream::advance(std::size_t row, const double* x, std::size_t n, double* y) {
  Series& series = series_[row];
  const auto push = [&](const double* from, std::size_t count, double* to) {
    const auto missing = std::count_if(from, from + count, [](double v) { return std::isnan(v); });
    states_->push(row, std::exchange(series.now.begins, false), from, count, to);
    watch_->push(row, from, count, to);
    series.now.samples += count;
    series.now.missing += static_cast<std::uint64_t>(missing);
  };
  if (n > 1) push(x, n - 1, y);
  states_->mark(row);
  watch_->mark(row);
  series.before = series.now;
  series.amendable = true;
  push(x + n - 1, 1, y + n - 1);
}

void Stream::push(const std::uint64_t* rows, Batch<const double> x, Batch<double> y, int threads) {
  require_rows(rows, x.rows);
  require_trust(rows, x.rows);
  check(rows, x);
  if (x.length == 0) return;
  const StopScope whole({});  // all series move, or none
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) advance(named(rows, i), x.row(i), x.length, y.row(i));
  });
}

void Stream::amend(const std::uint64_t* rows, Batch<const double> x, Batch<double> y, int threads) {
  require_rows(rows, x.rows);
  for (std::size_t i = 0; i < x.rows; ++i)
    if (!series_[named(rows, i)].amendable)
      throw std::logic_error("amend needs a sample to replace in every series; push one first");
  const StopScope whole({});
  // A session that was to begin after the sample that goes still is.
  swap(rows, x.rows);
  try {
    check(rows, x);
  } catch (...) {
    swap(rows, x.rows);
    throw;
  }
  parallel_for(x.rows, threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t row = named(rows, i);
      const bool begins = series_[row].before.begins;
      advance(row, x.row(i), 1, y.row(i));
      series_[row].now.begins = begins;
    }
  });
}

void Stream::begin_session(const std::uint64_t* rows, std::size_t count) {
  require_rows(rows, count);
  for (std::size_t i = 0; i < count; ++i) series_[named(rows, i)].now.begins = true;
}

void Stream::acknowledge(const std::uint64_t* rows, std::size_t count) {
  require_rows(rows, count);
  for (std::size_t i = 0; i < count; ++i) watch_->acknowledge(named(rows, i));
}

void Stream::flush(Batch<double> y) const {
  for (std::size_t row = 0; row < y.rows; ++row) states_->flush(row, y.row(row));
}

StreamReport Stream::report(std::size_t row) const noexcept {
  StreamReport report{};
  report.samples = series_[row].now.samples;
  report.missing = series_[row].now.missing;
  states_->report(row, report);
  watch_->report(row, report);
  return report;
}

std::vector<std::uint8_t> Stream::save() const {
  StateWriter to;
  for (std::size_t row = 0; row < series(); ++row) {
    const Series& series = series_[row];
    to.put(std::uint64_t{series.amendable});
    for (const Mark* mark : {&series.now, &series.before}) {
      to.put(mark->samples);
      to.put(mark->missing);
      to.put(std::uint64_t{mark->begins});
    }
    states_->save(row, to);
  }
  for (std::size_t row = 0; row < series(); ++row) watch_->save(row, to);
  return to.take();
}

void Stream::load(const std::uint8_t* bytes, std::size_t size) {
  StateReader from(bytes, size);
  for (std::size_t row = 0; row < series(); ++row) {
    Series& series = series_[row];
    series.amendable = from.flag();
    for (Mark* mark : {&series.now, &series.before}) {
      mark->samples = from.integer();
      mark->missing = from.integer();
      mark->begins = from.flag();
    }
    StateReader::require(series.now.samples == series.before.samples + series.amendable);
    states_->load(row, series, from);
  }
  if (from.ended()) return;  // of before there were monitors, which begin anew
  for (std::size_t row = 0; row < series(); ++row) watch_->load(row, from);
  from.finish();
}

}  // namespace rpsd
