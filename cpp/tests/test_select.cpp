// SPDX-License-Identifier: MIT
// The median by selection equals the median by sorting, to the bit, on friendly and hostile data.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"

namespace {

constexpr unsigned kSeed = 7;

template <class T>
double by_sorting(std::vector<T> x) {
  for (auto& v : x) v = std::abs(v);
  std::sort(x.begin(), x.end());
  const std::size_t n = x.size();
  const double low = static_cast<double>(x[(n - 1) / 2]), high = static_cast<double>(x[n / 2]);
  return low == high ? low : (low + high) / 2;
}

template <class T>
void check(const rpsd::kernels::Table<T>& table, const std::vector<T>& x) {
  std::vector<T> scratch(x.size());
  CHECK(table.median_abs(x.data(), x.size(), scratch.data()) == by_sorting(x));
}

template <class T>
void check_all(const rpsd::kernels::Table<T>& table) {
  std::mt19937_64 generator(kSeed);
  std::normal_distribution<double> normal;
  std::vector<std::size_t> lengths;
  for (std::size_t n = 1; n < 300; ++n) lengths.push_back(n);
  lengths.insert(lengths.end(), {511, 512, 513, 1000, 4097, 20000});
  for (const std::size_t n : lengths) {
    std::vector<T> noise(n), constant(n, T(3)), two(n), tick(n), rising(n), falling(n), spikes(n), zeros(n, T(-0.0));
    for (std::size_t i = 0; i < n; ++i) {
      noise[i] = static_cast<T>(normal(generator));
      two[i] = static_cast<T>(generator() % 2);
      tick[i] = static_cast<T>(std::round(normal(generator))) / 4;
      rising[i] = static_cast<T>(i);
      falling[i] = -static_cast<T>(n - i);
      spikes[i] = i % 97 == 0 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::denorm_min();
    }
    for (const auto& x : {noise, constant, two, tick, rising, falling, spikes, zeros}) check(table, x);
  }
  // A periodic pattern in step with the sample of the selection.
  std::vector<T> hidden(128 * 50, T(1));
  for (std::size_t i = 0; i < hidden.size(); i += 50) hidden[i] = T(1000 + i);
  check(table, hidden);
}

}  // namespace

int main() {
  check_all(rpsd_kernels_baseline()->f64);
  check_all(rpsd_kernels_baseline()->f32);
  return failed();
}
