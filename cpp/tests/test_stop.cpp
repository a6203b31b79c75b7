// SPDX-License-Identifier: MIT
// Calls that are stopped, at early and late looks and by another thread: all threads end, the next call has the same bits,
// and a stream is never left half done.
#include <cstring>
#include <thread>
#include <vector>

#include "check.hpp"
#include "golden_data.hpp"
#include "rpsd/causal.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/stream.hpp"
#include "rpsd/windowed.hpp"

namespace {

// Polls until the one that stops; 0: none does. Of the main thread, which alone polls.
unsigned polls_left = 0;

void stop_at_last_poll() {
  if (polls_left > 0 && --polls_left == 0) throw rpsd::Stopped();
}

template <class Call>
bool is_stopped(const Call& call) {
  try {
    call();
  } catch (const rpsd::Stopped&) {
    return true;
  }
  return false;
}

bool looks_nowhere() {
  const rpsd::StopSource source = rpsd::stop_source();
  return source.told == nullptr && source.beside == nullptr && source.poll == nullptr;
}

void check_scopes() {
  rpsd::Stop outer, inner;
  outer.set();
  {
    const rpsd::StopScope first({&outer, nullptr, nullptr});
    CHECK(is_stopped(rpsd::check_stop));
    {
      const rpsd::StopScope second({&inner, nullptr, nullptr});
      CHECK(!is_stopped(rpsd::check_stop));
      const rpsd::StopScope whole({});
      CHECK(looks_nowhere());
    }
    CHECK(is_stopped(rpsd::check_stop));
  }
  CHECK(looks_nowhere());
  CHECK(!is_stopped(rpsd::check_stop));
}

// Shares that end only where they are stopped.
void check_shares() {
  const auto endless = [](std::size_t, std::size_t) {
    for (;;) {
      rpsd::check_stop();
      std::this_thread::yield();
    }
  };
  for (const int threads : {1, 2, 5}) {
    rpsd::Stop stop;
    std::thread other([&] { stop.set(); });
    {
      const rpsd::StopScope scope({&stop, nullptr, nullptr});
      CHECK(is_stopped([&] { rpsd::parallel_for(100, threads, endless); }));
    }
    other.join();
    // One share's poll ends them all.
    const rpsd::StopScope scope({nullptr, nullptr, &stop_at_last_poll});
    polls_left = 3;
    CHECK(is_stopped([&] { rpsd::parallel_for(100, threads, endless); }));
  }
  CHECK(looks_nowhere());
}

// The values of a call that takes threads, stopped at the 1st, 4th, 16th .. poll until it is done, and each time once more
// in full.
template <class Call>
void check_stops(const char* name, const Call& call) {
  const std::vector<double> expected = call(1);
  for (const int threads : {1, 3}) {
    unsigned stops = 0;
    for (unsigned poll = 1;; poll *= 4, ++stops) {
      polls_left = poll;
      const rpsd::StopScope scope({nullptr, nullptr, &stop_at_last_poll});
      if (!is_stopped([&] { call(threads); })) break;
      const auto again = call(threads);
      CHECK(std::memcmp(again.data(), expected.data(), expected.size() * sizeof(double)) == 0);
    }
    if (stops < 2) std::fprintf(stderr, "%s, %d threads: stopped %u times\n", name, threads, stops), ++failure_count();
  }
  rpsd::Stop stop;
  stop.set();
  const rpsd::StopScope scope({&stop, nullptr, nullptr});
  CHECK(is_stopped([&] { call(1); }));
}

struct Series {
  std::vector<double> x;
  std::size_t rows, n;
  rpsd::Batch<const double> in() const { return {x.data(), rows, n, n}; }
};

template <class Report, class Method>
auto runs(const Method& method, const Series& series) {
  return [&method, &series](int threads) {
    std::vector<double> y(series.x.size());
    std::vector<Report> reports(series.rows);
    method(series.in(), {y.data(), series.rows, series.n, series.n}, reports.data(), threads, std::vector<std::size_t>());
    return y;
  };
}

// A walk under noise that is at times large, on ticks or not.
Series noisy(std::size_t rows, std::size_t n, double tick) {
  Series series{prices<double>(rows, n), rows, n};
  const auto added = noise(rows * n, 7);
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const double v = series.x[i] + added[i] * added[i] * added[i] * (i % 50 == 0 ? 3 : 0.4);
    series.x[i] = tick > 0 ? std::round(v / tick) * tick : v;
  }
  return series;
}

rpsd::FilterBank haar() {
  const double half = std::sqrt(0.5);
  return {{half, half}, {-half, half}, {half, half}, {half, -half}};
}

void check_methods() {
  rpsd::Options automatic;
  automatic.method = rpsd::Method::automatic;
  automatic.bank = haar();
  automatic.min_gain_db = 0.1;
  rpsd::Options ebayes;
  ebayes.bank = haar();
  ebayes.threshold_mode = rpsd::ThresholdMode::ebayes;
  rpsd::Options shifts = ebayes;
  shifts.transform = rpsd::TransformKind::modwt;
  const Series one = noisy(1, 10'000, 0), many = noisy(17, 300, 0), few = noisy(2, 200, 0), ticks = noisy(1, 500, 0.5);
  const rpsd::Denoiser<double> prices(automatic), wavelets(ebayes), modwt(shifts);
  check_stops("prices", runs<rpsd::SeriesReport>(prices, one));
  check_stops("prices of many", runs<rpsd::SeriesReport>(prices, many));
  check_stops("prices on ticks", runs<rpsd::SeriesReport>(prices, ticks));
  check_stops("wavelets", runs<rpsd::SeriesReport>(wavelets, one));
  check_stops("modwt", runs<rpsd::SeriesReport>(modwt, one));
  const rpsd::Causal<double> causal(automatic, 5);
  check_stops("causal", runs<rpsd::WindowedReport>(causal, one));
  const rpsd::Windowed<double> windowed(shifts, {64, 5, 20});
  check_stops("windowed", runs<rpsd::WindowedReport>(windowed, few));
}

void check_stream() {
  const Series series = noisy(3, 500, 0);
  rpsd::Options options;
  options.method = rpsd::Method::automatic;
  std::vector<double> y(series.x.size()), told(series.x.size());
  rpsd::Stream stream(options, {64, 5, 20}, series.rows), other(options, {64, 5, 20}, series.rows);
  stream.push(nullptr, series.in(), {y.data(), series.rows, series.n, series.n}, 2);
  rpsd::Stop stop;
  stop.set();
  const rpsd::StopScope scope({&stop, nullptr, nullptr});
  CHECK(!is_stopped([&] { other.push(nullptr, series.in(), {told.data(), series.rows, series.n, series.n}, 2); }));
  CHECK(std::memcmp(y.data(), told.data(), y.size() * sizeof(double)) == 0);
  CHECK(stream.save() == other.save());
  CHECK(!is_stopped([&] { other.amend(nullptr, {series.x.data(), series.rows, 1, series.n}, {told.data(), series.rows, 1, 1}); }));
}

}  // namespace

int main() {
  check_scopes();
  check_shares();
  check_methods();
  check_stream();
  return failed();
}
