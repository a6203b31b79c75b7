// SPDX-License-Identifier: MIT
// Once a thread has its memory, a call allocates for itself but not for each series: as much for forty as for eight.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "check.hpp"
#include "rpsd/causal_price.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/quality.hpp"
#include "rpsd/stream.hpp"
#include "rpsd/wavelet.hpp"
#include "rpsd/windowed.hpp"

namespace {

std::size_t allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  // The address that was got lies before the aligned one.
  void* const got = std::malloc(size + alignment + sizeof(void*));
  if (got == nullptr) throw std::bad_alloc();
  const auto first = reinterpret_cast<std::size_t>(got) + sizeof(void*);
  void** const aligned = reinterpret_cast<void**>((first + alignment - 1) / alignment * alignment);
  aligned[-1] = got;
  return aligned;
}

void release(void* memory) noexcept {
  if (memory != nullptr) std::free(static_cast<void**>(memory)[-1]);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace {

constexpr std::size_t kFew = 8, kMany = 40, kLength = 600;

// Allocations of call(rows) when it has run before.
template <class Call>
std::size_t steady(const Call& call, std::size_t rows) {
  call(rows);
  const std::size_t before = allocations;
  call(rows);
  return allocations - before;
}

template <class Call>
void check(const char* name, const Call& call) {
  const std::size_t many = steady(call, kMany), few = steady(call, kFew);
  std::printf("%s: %zu allocations for %zu series, %zu for %zu\n", name, many, kMany, few, kFew);
  CHECK(many == few);
}

// A wave under noise: chains have something to remove.
template <class T>
std::vector<T> series() {
  std::vector<T> x(kMany * kLength);
  unsigned state = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = static_cast<T>(std::sin(0.01 * static_cast<double>(i)) + (state >> 8) / 16777216.0);
  }
  return x;
}

rpsd::FilterBank haar() {
  const double half = std::sqrt(0.5);
  return {{half, half}, {-half, half}, {half, half}, {half, -half}};
}

template <class T>
void check_windows(const char* name, const rpsd::Options& options) {
  const auto x = series<T>();
  std::vector<T> y(x.size());
  std::vector<rpsd::WindowedReport> reports(kMany);
  const rpsd::Windowed<T> windowed(options, {64, 2, 64});
  check(name, [&](std::size_t rows) {
    windowed({x.data(), rows, kLength, kLength}, {y.data(), rows, kLength, kLength}, reports.data(), 1);
    CHECK(reports[0].series.changed);
  });
}

// Single samples and amended ones, of some series of a bank and of all, once each has seen a window.
void check_streams(const char* name, const rpsd::Options& options) {
  constexpr std::size_t kSeries = 3;
  const auto x = series<double>();
  std::vector<double> y(x.size());
  rpsd::Stream stream(options, {64, 2, 64}, kSeries);
  const auto block = [&](std::size_t at, std::size_t rows, std::size_t length) {
    return rpsd::Batch<const double>{x.data() + at, rows, length, kLength};
  };
  const rpsd::Batch<double> out{y.data(), kSeries, kLength, kLength};
  const std::uint64_t some[] = {2, 0};
  const auto move = [&](std::size_t at) {
    stream.push(nullptr, block(at, kSeries, 1), out);
    stream.push(some, block(at, 2, 1), out);
    stream.amend(some, block(at + 1, 2, 1), out);
    if (options.method == rpsd::Method::wavelet) return;  // windows that are not whole take memory
    if (at % 50 == 0) stream.begin_session(some, 2);
    stream.flush({y.data(), kSeries, 2, 2});
  };
  stream.push(nullptr, block(0, kSeries, 100), out);
  move(0);
  const std::size_t before = allocations;
  for (std::size_t at = 1; at + 1 < kLength; ++at) move(at);
  std::printf("stream %s: %zu allocations\n", name, allocations - before);
  CHECK(allocations == before);
}

template <class T>
void check_denoisers() {
  const auto x = series<T>();
  std::vector<T> y(x.size());
  std::vector<rpsd::SeriesReport> reports(kMany);
  const auto chain = [&](const char* name, const rpsd::Options& options) {
    const rpsd::Denoiser<T> denoiser(options);
    check(name, [&](std::size_t rows) {
      denoiser({x.data(), rows, kLength, kLength}, {y.data(), rows, kLength, kLength}, reports.data(), 1);
      CHECK(reports[0].changed);
    });
  };
  rpsd::Options plain;
  plain.bank = haar();
  for (const char* mode : {"bayes", "universal", "sure", "hybrid", "minimax", "fdr", "blockjs", "neighblock", "wiener"}) {
    rpsd::Options options = plain;
    options.threshold_mode = rpsd::parse_threshold_mode(mode);
    chain(mode, options);
    options.transform = rpsd::TransformKind::modwt;
    chain("  modwt", options);
  }
  for (const char* noise : {"level", "local"}) {
    rpsd::Options options = plain;
    options.noise = rpsd::parse_noise(noise);
    chain(noise, options);
  }
  rpsd::Options filtered = plain;
  filtered.fir_taps.assign(101, 1.0 / 101);
  chain("with FIR", filtered);
  check_windows<T>("windows", plain);
  check_windows<T>("windows with FIR", filtered);
}

template <class T>
void check_transforms() {
  const auto x = series<T>();
  std::vector<T> y(x.size()), coefficients(2 * x.size());
  for (const std::size_t taps : {5u, 101u, 701u}) {
    const rpsd::Fir<T> filter(std::vector<double>(taps, 1.0 / static_cast<double>(taps)), rpsd::FirMode::zero_phase);
    check("zero-phase FIR", [&](std::size_t rows) {
      rpsd::fir_filter<T>(filter, {x.data(), rows, kLength, kLength}, {y.data(), rows, kLength, kLength}, 1);
    });
  }
  constexpr std::size_t kHalf = kLength / 2;
  const rpsd::Transform<T> transform(haar(), rpsd::Boundary::symmetric);
  T* const details = coefficients.data() + kMany * kHalf;
  check("wavedec", [&](std::size_t rows) {
    rpsd::wavedec<T>(transform, {x.data(), rows, kLength, kLength}, 1,
                     {{coefficients.data(), rows, kHalf, kHalf}, {details, rows, kHalf, kHalf}}, 1);
  });
  check("waverec", [&](std::size_t rows) {
    rpsd::waverec<T>(transform, {{coefficients.data(), rows, kHalf, kHalf}, {details, rows, kHalf, kHalf}},
                     {y.data(), rows, kLength, kLength}, 1);
  });
  const rpsd::FilterBank bank = haar();
  check("modwt", [&](std::size_t rows) {
    rpsd::modwt<T>(bank, rpsd::ModwtBoundary::periodic, 1, {x.data(), rows, kLength, kLength},
                   {coefficients.data(), 2 * rows, kLength, kLength}, 1);
  });
}

void check_quality() {
  const auto x = series<double>(), y = std::vector<double>(x.rbegin(), x.rend());
  std::vector<rpsd::Metrics> metrics(kMany);
  std::vector<double> r(kMany * 10);
  check("guardrails", [&](std::size_t rows) {
    rpsd::measure({x.data(), rows, kLength, kLength}, {y.data(), rows, kLength, kLength}, metrics.data(), 1);
  });
  check("autocorrelation", [&](std::size_t rows) {
    rpsd::autocorrelation({x.data(), rows, kLength, kLength}, 10, r.data(), 1);
  });
}

// A stream's push allocates nothing at all.
void check_causal() {
  const auto x = series<double>();
  std::vector<double> y(x.size());
  for (const auto method : {rpsd::PriceMethod::automatic, rpsd::PriceMethod::kalman}) {
    rpsd::CausalOptions options;
    options.method = method;
    options.lookahead = 5;
    const rpsd::CausalModel model(options);
    std::vector<double> state(model.state_size());
    model.start(state.data());
    model.push(state.data(), x.data(), 1, y.data());
    const std::size_t before = allocations;
    model.push(state.data(), x.data(), x.size(), y.data());
    CHECK(allocations == before);
    check("causal", [&](std::size_t rows) {
      rpsd::causal_price(model, {x.data(), rows, kLength, kLength}, {y.data(), rows, kLength, kLength}, nullptr, 1);
    });
  }
}

void check_streams() {
  rpsd::Options options;
  options.bank = haar();
  check_streams("windows", options);
  options.method = rpsd::Method::kalman;
  check_streams("kalman", options);
  options.method = rpsd::Method::automatic;
  check_streams("auto", options);
}

}  // namespace

int main() {
  check_causal();
  check_streams();
  check_denoisers<double>();
  check_denoisers<float>();
  check_transforms<double>();
  check_transforms<float>();
  check_quality();
  return failed();
}
