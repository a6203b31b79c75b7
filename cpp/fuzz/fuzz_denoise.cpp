// SPDX-License-Identifier: MIT
// Any options on any numbers: refused by std::invalid_argument or computed, alone and in a batch to the same bits.
#include <stdexcept>

#include "bytes.hpp"
#include "options.hpp"
#include "rpsd/denoise.hpp"

namespace {

template <class T>
void run(const rpsd::Options& options, const std::vector<double>& numbers) {
  const std::vector<T> x(numbers.begin(), numbers.end());
  const std::size_t n = x.size();
  bool infinite = false, moderate = true;
  for (const T v : x) {
    infinite |= std::isinf(v);
    moderate &= std::isnan(v) || v == 0 || (std::fabs(v) > T(1e-6) && std::fabs(v) < T(1e6));
  }
  std::vector<T> twice(x), y(n), both(2 * n);
  twice.insert(twice.end(), x.begin(), x.end());
  rpsd::SeriesReport one, two[2];
  try {
    const rpsd::Denoiser<T> denoiser(options);
    denoiser({x.data(), 1, n, n}, {y.data(), 1, n, n}, &one, 1);
    denoiser({twice.data(), 2, n, n}, {both.data(), 2, n, n}, two, 1);
  } catch (const std::invalid_argument&) {
    return;
  }
  REQUIRE(!infinite);
  REQUIRE(same(y.data(), both.data(), n) && same(y.data(), both.data() + n, n));
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) REQUIRE(std::isnan(y[i]));
    else if (moderate) REQUIRE(std::isfinite(y[i]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const bool single = bytes.below(4) == 0;
  const rpsd::Options options = chosen_options(bytes);
  auto numbers = bytes.numbers(300);
  if (numbers.empty()) return 0;  // Python answers for these
  if (single)
    for (double& v : numbers) v = std::isfinite(v) && std::fabs(v) > 3e38 ? 1 : v;  // no float
  if (single) run<float>(options, numbers);
  else run<double>(options, numbers);
  return 0;
}
