// SPDX-License-Identifier: MIT
// FIR filtering of one series by rpsd, from rest and centred, and by Intel IPP's ippsFIRSR from rest, turn by turn on one
// thread; prints one JSON list of {"who", "dtype", "taps", "samples", "ns"}: the median of many runs, in ns a sample.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ipp.h"
#include "rpsd/fir.hpp"

namespace {

void require(IppStatus status, const char* what) {
  if (status >= ippStsNoErr) return;  // above are warnings, such as a processor that is not Intel's
  std::fprintf(stderr, "%s: %s\n", what, ippGetStatusString(status));
  std::exit(1);
}

IppStatus init(const std::vector<Ipp64f>& taps, IppAlgType how, IppsFIRSpec_64f* spec) {
  return ippsFIRSRInit_64f(taps.data(), static_cast<int>(taps.size()), how, spec);
}
IppStatus init(const std::vector<Ipp32f>& taps, IppAlgType how, IppsFIRSpec_32f* spec) {
  return ippsFIRSRInit_32f(taps.data(), static_cast<int>(taps.size()), how, spec);
}
IppStatus run(const Ipp64f* x, Ipp64f* y, int n, IppsFIRSpec_64f* spec, Ipp8u* buffer) {
  return ippsFIRSR_64f(x, y, n, spec, nullptr, nullptr, buffer);
}
IppStatus run(const Ipp32f* x, Ipp32f* y, int n, IppsFIRSpec_32f* spec, Ipp8u* buffer) {
  return ippsFIRSR_32f(x, y, n, spec, nullptr, nullptr, buffer);
}

template <class T>
struct SpecOf;
template <>
struct SpecOf<double> {
  using type = IppsFIRSpec_64f;
  static constexpr IppDataType kData = ipp64f;
};
template <>
struct SpecOf<float> {
  using type = IppsFIRSpec_32f;
  static constexpr IppDataType kData = ipp32f;
};

template <class T>
class IppFir {
 public:
  IppFir(const std::vector<T>& taps, IppAlgType how) {
    int spec = 0, buffer = 0;
    require(ippsFIRSRGetSize(static_cast<int>(taps.size()), SpecOf<T>::kData, &spec, &buffer), "ippsFIRSRGetSize");
    spec_.resize(static_cast<std::size_t>(spec) + 64);
    buffer_.resize(static_cast<std::size_t>(buffer) + 64);
    require(init(taps, how, this->spec()), "ippsFIRSRInit");
  }
  void operator()(const T* x, std::size_t n, T* y) {
    require(run(x, y, static_cast<int>(n), spec(), aligned(buffer_)), "ippsFIRSR");
  }

 private:
  static Ipp8u* aligned(std::vector<Ipp8u>& bytes) {
    return bytes.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes.data()) % 64) % 64;
  }
  typename SpecOf<T>::type* spec() { return reinterpret_cast<typename SpecOf<T>::type*>(aligned(spec_)); }

  std::vector<Ipp8u> spec_, buffer_;
};

// A low-pass of Hann's window, gain 1.
std::vector<double> low_pass(std::size_t n_taps) {
  const double pi = std::acos(-1.0), middle = static_cast<double>(n_taps - 1) / 2;
  std::vector<double> taps(n_taps);
  double sum = 0;
  for (std::size_t k = 0; k < n_taps; ++k) {
    const double t = static_cast<double>(k) - middle, angle = 0.1 * pi * t;
    taps[k] = (t == 0 ? 1 : std::sin(angle) / angle) * (0.5 + 0.5 * std::cos(pi * t / (middle + 1)));
    sum += taps[k];
  }
  for (auto& tap : taps) tap /= sum;
  return taps;
}

template <class T>
void compare(std::size_t n_taps, std::size_t n, bool& first) {
  const auto taps = low_pass(n_taps);
  const std::vector<T> narrow(taps.begin(), taps.end());
  std::vector<T> x(n), y(n), expected(n);
  std::mt19937_64 generator(17);
  std::normal_distribution<double> normal;
  double walk = 100;
  for (auto& v : x) v = static_cast<T>(walk += normal(generator));

  const rpsd::Fir<T> ours(taps, rpsd::FirMode::causal), centred(taps, rpsd::FirMode::same);
  const std::size_t delay = (n_taps - 1) / 2;
  rpsd::FirScratch<T> scratch;
  IppFir<T> direct(narrow, ippAlgDirect), fft(narrow, ippAlgFFT), chosen(narrow, ippAlgAuto);
  struct Contestant {
    std::string who;
    std::size_t lead;  // samples by which it is ahead of the causal output
    std::function<void()> run;
    std::vector<double> times;
  };
  std::vector<Contestant> contestants = {
      {"rpsd same", delay, [&] { centred(x.data(), n, y.data(), scratch); }, {}},
      {"rpsd causal", 0, [&] { ours(x.data(), n, y.data(), scratch); }, {}},
      {"Intel IPP auto", 0, [&] { chosen(x.data(), n, y.data()); }, {}},
      {"Intel IPP direct", 0, [&] { direct(x.data(), n, y.data()); }, {}},
      {"Intel IPP FFT", 0, [&] { fft(x.data(), n, y.data()); }, {}},
  };
  ours(x.data(), n, expected.data(), scratch);
  using Clock = std::chrono::steady_clock;
  const auto rounds = std::clamp<std::size_t>(40'000'000 / n, 9, 400);
  for (std::size_t round = 0; round < rounds; ++round)
    for (auto& contestant : contestants) {
      const auto start = Clock::now();
      contestant.run();
      const std::chrono::duration<double, std::nano> taken = Clock::now() - start;
      contestant.times.push_back(taken.count() / static_cast<double>(n));
      if (round > 0) continue;
      for (std::size_t i = contestant.lead; i < n; ++i)
        if (std::abs(y[i - contestant.lead] - expected[i]) > (sizeof(T) == sizeof(double) ? T(1e-11) : T(1e-5)) * std::abs(T(walk) + 5000)) {
          std::fprintf(stderr, "%s differs at %zu: %g, not %g\n", contestant.who.c_str(), i,
                       double(y[i - contestant.lead]), double(expected[i]));
          std::exit(1);
        }
    }
  for (auto& contestant : contestants) {
    const auto middle = contestant.times.begin() + static_cast<std::ptrdiff_t>(contestant.times.size() / 2);
    std::nth_element(contestant.times.begin(), middle, contestant.times.end());
    std::printf("%s{\"who\": \"%s\", \"dtype\": \"%s\", \"taps\": %zu, \"samples\": %zu, \"ns\": %.4f}", first ? "[" : ",\n",
                contestant.who.c_str(), sizeof(T) == sizeof(double) ? "float64" : "float32", n_taps, n, *middle);
    first = false;
  }
}

}  // namespace

int main() {
  require(ippInit(), "ippInit");
  std::fprintf(stderr, "%s\n", ippsGetLibVersion()->Name);
  bool first = true;
  for (const std::size_t n : {10'000u, 1'000'000u, 10'000'000u}) compare<double>(101, n, first);
  compare<double>(1025, 1'000'000, first);
  for (const std::size_t n : {10'000u, 1'000'000u}) compare<float>(101, n, first);
  compare<float>(1025, 1'000'000, first);
  std::printf("]\n");
}
