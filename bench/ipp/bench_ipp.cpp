// SPDX-License-Identifier: MIT
// FIR filtering of one series by rpsd, from rest and centred, and by Intel IPP's ippsFIRSR from rest, on one thread.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "contest.hpp"
#include "rpsd/fir.hpp"

namespace {

using bench::require;

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
    spec_ = reinterpret_cast<typename SpecOf<T>::type*>(spec_memory_.resize(spec));
    work_ = work_memory_.resize(buffer);
    require(init(taps, how, spec_), "ippsFIRSRInit");
  }
  void operator()(const T* x, std::size_t n, T* y) {
    require(run(x, y, static_cast<int>(n), spec_, work_), "ippsFIRSR");
  }

 private:
  bench::IppMemory spec_memory_, work_memory_;
  typename SpecOf<T>::type* spec_ = nullptr;
  Ipp8u* work_ = nullptr;
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
void compare(std::size_t n_taps, std::size_t n, bench::Results& results) {
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
  const std::vector<bench::Contestant> contestants = {
      {"rpsd same", [&] { centred(x.data(), n, y.data(), scratch); }},
      {"rpsd causal", [&] { ours(x.data(), n, y.data(), scratch); }},
      {"Intel IPP auto", [&] { chosen(x.data(), n, y.data()); }},
      {"Intel IPP direct", [&] { direct(x.data(), n, y.data()); }},
      {"Intel IPP FFT", [&] { fft(x.data(), n, y.data()); }},
  };
  ours(x.data(), n, expected.data(), scratch);
  const T allowed = (sizeof(T) == sizeof(double) ? T(1e-11) : T(1e-5)) * std::abs(T(walk) + 5000);
  for (const auto& contestant : contestants) {
    contestant.run();
    // The centred output is ahead of the causal one.
    const std::size_t lead = &contestant == &contestants[0] ? delay : 0;
    for (std::size_t i = lead; i < n; ++i)
      if (std::abs(y[i - lead] - expected[i]) > allowed) {
        std::fprintf(stderr, "%s differs at %zu: %g, not %g\n", contestant.who.c_str(), i, double(y[i - lead]),
                     double(expected[i]));
        std::exit(1);
      }
  }
  const std::string type = sizeof(T) == sizeof(double) ? "float64" : "float32";
  results.measure("D FIR from C++, " + std::to_string(n_taps) + " taps, " + type, n, contestants);
}

}  // namespace

int main() {
  require(ippInit(), "ippInit");
  std::fprintf(stderr, "%s\n", ippsGetLibVersion()->Name);
  bench::Results results;
  for (const std::size_t n : {10'000u, 1'000'000u, 10'000'000u}) compare<double>(101, n, results);
  compare<double>(1025, 1'000'000, results);
  for (const std::size_t n : {10'000u, 1'000'000u}) compare<float>(101, n, results);
  compare<float>(1025, 1'000'000, results);
}
