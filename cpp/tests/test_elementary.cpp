// SPDX-License-Identifier: MIT
// Our exponential and logarithm against the system's in extended precision, and alike under every instruction set.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"
#include "tables_here.hpp"

namespace {

constexpr unsigned kSeed = 20261124;

using Function = void (*)(const double*, std::size_t, double*) noexcept;

std::vector<double> apply(Function function, const std::vector<double>& x) {
  std::vector<double> y(x.size());
  function(x.data(), x.size(), y.data());
  return y;
}

// The distance of y from the exact value in units of the last place of y.
double error_in_ulp(double y, long double exact) {
  const double unit = std::nextafter(std::abs(y), HUGE_VAL) - std::abs(y);
  return static_cast<double>(std::abs(static_cast<long double>(y) - exact) / static_cast<long double>(unit));
}

// Where long double is no wider than double, the reference itself is off by up to one.
constexpr double kAllowed = std::numeric_limits<long double>::digits > 53 ? 1.1 : 2.1;

std::vector<double> exponents(std::mt19937_64& generator) {
  std::vector<double> x = {0.0, -0.0, 1.0, -1.0, 709.0, -707.9999999, 1e-300, -1e-300, 0.34657359027997264, 88.5};
  std::uniform_real_distribution<double> wide(-708, 709), narrow(-2, 2);
  for (int i = 0; i < 100000; ++i) x.push_back(i % 2 ? wide(generator) : narrow(generator));
  for (int k = -1020; k < 1022; ++k) x.push_back((k + 0.5) * 0.6931471805599453);  // where the reduction turns
  return x;
}

std::vector<double> magnitudes(std::mt19937_64& generator) {
  std::vector<double> x = {1.0, 2.0, 0.5, std::numeric_limits<double>::min(), std::numeric_limits<double>::max(),
                           std::nextafter(1.0, 0.0), std::nextafter(1.0, 2.0), std::sqrt(2.0), std::sqrt(0.5)};
  std::uniform_real_distribution<double> exponent(-1021, 1023), narrow(0.5, 2);
  for (int i = 0; i < 100000; ++i) x.push_back(i % 2 ? std::exp2(exponent(generator)) : narrow(generator));
  return x;
}

void check_accuracy(const rpsd::kernels::StateSpaceTable& table) {
  std::mt19937_64 generator(kSeed);
  const auto x = exponents(generator), v = magnitudes(generator);
  const auto powers = apply(table.exponentials, x), logs = apply(table.logarithms, v);
  double worst_power = 0, worst_log = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst_power = std::fmax(worst_power, error_in_ulp(powers[i], std::exp(static_cast<long double>(x[i]))));
  for (std::size_t i = 0; i < v.size(); ++i)
    worst_log = std::fmax(worst_log, error_in_ulp(logs[i], std::log(static_cast<long double>(v[i]))));
  CHECK(worst_power <= kAllowed);
  CHECK(worst_log <= kAllowed);
  if (failed() != 0) std::fprintf(stderr, "seed %u: exp %.3f ulp, log %.3f ulp\n", kSeed, worst_power, worst_log);
  for (const double far : {-708.0, -708.5, -1e5, -HUGE_VAL}) CHECK(apply(table.exponentials, {far})[0] == 0);
  CHECK(powers[0] == 1 && powers[1] == 1 && logs[0] == 0);
}

// Every length, so that the filled-up vector at the end gives what a whole one does; in place too.
void check_lengths(const rpsd::kernels::StateSpaceTable& table) {
  std::mt19937_64 generator(kSeed);
  const auto x = magnitudes(generator);
  const auto logs = apply(table.logarithms, x);
  for (std::size_t n = 0; n < 20; ++n) {
    std::vector<double> y(x.begin(), x.begin() + 20);
    table.logarithms(y.data(), n, y.data());
    for (std::size_t i = 0; i < 20; ++i) CHECK(y[i] == (i < n ? logs[i] : x[i]));
  }
}

}  // namespace

int main() {
  std::mt19937_64 generator(kSeed);
  const auto x = exponents(generator), v = magnitudes(generator);
  const auto tables = tables_here();
  for (const auto* table : tables) {
    check_accuracy(table->state_space);
    check_lengths(table->state_space);
    const auto& first = tables[0]->state_space;
    CHECK(apply(table->state_space.exponentials, x) == apply(first.exponentials, x));
    CHECK(apply(table->state_space.logarithms, v) == apply(first.logarithms, v));
  }
  return failed();
}
