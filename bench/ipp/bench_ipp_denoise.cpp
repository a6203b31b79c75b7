// SPDX-License-Identifier: MIT
// Wavelet denoising (db4, 4 levels, BayesShrink, soft, symmetric) and its transform alone, from C++ on one thread: rpsd,
// and Intel IPP with std::nth_element, which IPP has no replacement for. All give the same numbers, or nothing is timed.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "contest.hpp"
#include "daubechies4.hpp"
#include "ipp_wavelet.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/wavelet.hpp"

namespace {

constexpr int kLevels = 4;

IppStatus absolute(const Ipp32f* x, Ipp32f* y, int n) { return ippsAbs_32f(x, y, n); }
IppStatus absolute(const Ipp64f* x, Ipp64f* y, int n) { return ippsAbs_64f(x, y, n); }
IppStatus norm(const Ipp32f* x, int n, Ipp32f* result) { return ippsNorm_L2_32f(x, n, result); }
IppStatus norm(const Ipp64f* x, int n, Ipp64f* result) { return ippsNorm_L2_64f(x, n, result); }
IppStatus clamp(const Ipp32f* x, Ipp32f* y, int n, Ipp32f t) { return ippsThreshold_LTValGTVal_32f(x, y, n, -t, -t, t, t); }
IppStatus clamp(const Ipp64f* x, Ipp64f* y, int n, Ipp64f t) { return ippsThreshold_LTValGTVal_64f(x, y, n, -t, -t, t, t); }
IppStatus subtract(const Ipp32f* a, Ipp32f* b, int n) { return ippsSub_32f_I(a, b, n); }
IppStatus subtract(const Ipp64f* a, Ipp64f* b, int n) { return ippsSub_64f_I(a, b, n); }

// x in place, as x less x held within [-t, t], in blocks that stay in the first cache.
template <class T>
void shrink(std::vector<T>& x, double threshold) {
  constexpr std::size_t kBlock = 2048;
  T held[kBlock];
  if (std::isinf(threshold)) return std::fill(x.begin(), x.end(), T(0));
  for (std::size_t at = 0; at < x.size(); at += kBlock) {
    const int n = static_cast<int>(std::min(kBlock, x.size() - at));
    bench::require(clamp(x.data() + at, held, n, static_cast<T>(threshold)), "ippsThreshold");
    bench::require(subtract(held, x.data() + at, n), "ippsSub");
  }
}

template <class Step>
class IppDenoiser {
 public:
  using T = typename Step::Sample;
  enum class Median { nth_element, rpsd };

  IppDenoiser(std::size_t n, Median median) : wavelet_(bench::daubechies4(), n, kLevels), median_(median) {}

  void operator()(const T* x, T* y) {
    wavelet_.forward(x);
    const double sigma = noise(wavelet_.details()[0]);
    for (auto& d : wavelet_.details()) {
      T length;
      bench::require(norm(d.data(), static_cast<int>(d.size()), &length), "ippsNorm_L2");
      const double mean_square = static_cast<double>(length) * static_cast<double>(length) / static_cast<double>(d.size());
      const double signal = std::sqrt(std::max(mean_square - sigma * sigma, 0.0));
      shrink(d, signal > 0 ? sigma * sigma / signal : std::numeric_limits<double>::infinity());
    }
    wavelet_.inverse(y);
  }

 private:
  double noise(const std::vector<T>& d) {
    if (median_ == Median::rpsd) return rpsd::mad_noise(d.data(), d.size(), scratch_);
    sorted_.resize(d.size());
    bench::require(absolute(d.data(), sorted_.data(), static_cast<int>(d.size())), "ippsAbs");
    const auto middle = sorted_.begin() + static_cast<std::ptrdiff_t>(d.size() / 2);
    std::nth_element(sorted_.begin(), middle, sorted_.end());
    const double upper = *middle, lower = d.size() % 2 == 0 ? *std::max_element(sorted_.begin(), middle) : *middle;
    return (lower + upper) / 2 / rpsd::kNormalQuartile;
  }

  bench::IppWavelet<Step> wavelet_;
  Median median_;
  std::vector<T> sorted_;
  rpsd::Buffer<T> scratch_;
};

// Prices about a slow wave, with heavy tails.
template <class T>
std::vector<T> prices(std::size_t n) {
  std::mt19937_64 generator(19);
  std::student_t_distribution<double> noise(4);
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = static_cast<T>(100 + 10 * std::sin(0.002 * static_cast<double>(i)) + 0.5 * noise(generator));
  return x;
}

// Ends unless every sample agrees to the tolerance, relative to itself.
template <class T>
void expect_equal(const std::string& who, const std::vector<T>& y, const std::vector<T>& expected, std::size_t n) {
  constexpr double kTolerance = std::is_same_v<T, float> ? 1e-5 : 1e-12;
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) / static_cast<double>(expected[i]) - 1));
  std::fprintf(stderr, "%s, %zu samples: largest relative difference %.2g\n", who.c_str(), n, worst);
  if (worst <= kTolerance) return;
  std::fprintf(stderr, "allowed: %g\n", kTolerance);
  std::exit(1);
}

// rpsd's transform and its inverse, with the memory they need.
template <class T>
class Ours {
 public:
  explicit Ours(std::size_t n) : transform_(bench::daubechies4(), rpsd::Boundary::symmetric) {
    auto lengths = rpsd::level_lengths(transform_, n, kLevels);
    lengths.push_back(lengths.back());
    for (auto m = lengths.rbegin(); m != lengths.rend(); ++m) {
      memory_.emplace_back(*m);
      written_.push_back({memory_.back().data(), 1, *m, *m});
      read_.push_back({memory_.back().data(), 1, *m, *m});
    }
  }
  void operator()(const std::vector<T>& x, std::vector<T>& y, std::size_t n) {
    rpsd::wavedec<T>(transform_, {x.data(), 1, n, n}, kLevels, written_, 1);
    const std::size_t length = n + n % 2;
    rpsd::waverec<T>(transform_, read_, {y.data(), 1, length, length}, 1);
  }

 private:
  rpsd::Transform<T> transform_;
  std::vector<std::vector<T>> memory_;
  std::vector<rpsd::Batch<T>> written_;
  std::vector<rpsd::Batch<const T>> read_;
};

template <class Step>
void add_ipp(const std::string& who, const std::vector<typename Step::Sample>& x, std::vector<typename Step::Sample>& y,
             std::size_t n, std::vector<bench::Contestant>& denoisers, std::vector<bench::Contestant>& transforms) {
  using Median = typename IppDenoiser<Step>::Median;
  for (const auto median : {Median::nth_element, Median::rpsd}) {
    auto denoiser = std::make_shared<IppDenoiser<Step>>(n, median);
    const char* how = median == Median::rpsd ? " + rpsd's median" : " + nth_element";
    denoisers.push_back({who + how, [denoiser, &x, &y] { (*denoiser)(x.data(), y.data()); }});
  }
  auto wavelet = std::make_shared<bench::IppWavelet<Step>>(bench::daubechies4(), n, kLevels);
  transforms.push_back({who, [wavelet, &x, &y] {
                          wavelet->forward(x.data());
                          wavelet->inverse(y.data());
                        }});
}

template <class T>
void compare(std::size_t n, bench::Results& results) {
  const auto x = prices<T>(n);
  std::vector<T> y(n + 1);
  rpsd::Options options;
  options.bank = bench::daubechies4();
  const rpsd::Denoiser<T> denoiser(options);
  rpsd::SeriesReport report;
  Ours<T> ours(n);
  std::vector<bench::Contestant> denoisers = {
      {"rpsd", [&] { denoiser({x.data(), 1, n, n}, {y.data(), 1, n, n}, &report, 1); }}};
  std::vector<bench::Contestant> transforms = {{"rpsd", [&] { ours(x, y, n); }}};
  if constexpr (std::is_same_v<T, float>)
    add_ipp<bench::WaveletStep>("Intel IPP wavelet", x, y, n, denoisers, transforms);
  add_ipp<bench::FilterStep<T>>("Intel IPP FIR", x, y, n, denoisers, transforms);

  denoisers[0].run();
  const auto denoised = y;
  for (const auto& contestant : denoisers) {
    contestant.run();
    expect_equal(contestant.who, y, denoised, n);
  }
  for (const auto& contestant : transforms) {
    contestant.run();
    expect_equal(contestant.who + ", transform", y, x, n);
  }
  const std::string type = std::is_same_v<T, float> ? "float32" : "float64";
  results.measure("A denoise from C++, " + type, n, denoisers);
  results.measure("A wavedec + waverec from C++, " + type, n, transforms);
}

}  // namespace

int main() {
  bench::require(ippInit(), "ippInit");
  std::fprintf(stderr, "%s\n", ippsGetLibVersion()->Name);
  bench::Results results;
  for (const std::size_t n : {1'000u, 10'000u, 100'000u, 1'000'000u}) compare<float>(n, results);
  for (const std::size_t n : {1'000u, 10'000u, 100'000u, 1'000'000u}) compare<double>(n, results);
}
