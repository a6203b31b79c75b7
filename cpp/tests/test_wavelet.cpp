// SPDX-License-Identifier: MIT
// Perfect reconstruction in every boundary mode, and errors for lengths that do not fit.
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "rpsd/options.hpp"
#include "rpsd/wavelet.hpp"

namespace {

constexpr unsigned kSeed = 11;

// Daubechies' filter of two vanishing moments, in closed form (Daubechies 1992, section 6.4).
rpsd::FilterBank daubechies2() {
  const double r = std::sqrt(3.0), s = 4 * std::sqrt(2.0);
  const std::vector<double> lo = {(1 - r) / s, (3 - r) / s, (3 + r) / s, (1 + r) / s};
  const std::vector<double> hi = {-lo[3], lo[2], -lo[1], lo[0]};
  return {lo, hi, {lo[3], lo[2], lo[1], lo[0]}, {hi[3], hi[2], hi[1], hi[0]}};
}

void check_round_trip(const char* boundary, std::size_t n, int level) {
  const rpsd::Transform<double> transform(daubechies2(), rpsd::parse_boundary(boundary));
  std::mt19937_64 generator(kSeed + n);
  std::normal_distribution<double> normal;
  std::vector<double> x(n);
  for (auto& v : x) v = normal(generator);

  auto lengths = rpsd::level_lengths(transform, n, level);
  lengths.push_back(lengths.back());
  std::vector<std::vector<double>> memory;
  std::vector<std::size_t> order(lengths.rbegin(), lengths.rend());
  for (const std::size_t m : order) memory.emplace_back(m);
  std::vector<rpsd::Batch<double>> out;
  std::vector<rpsd::Batch<const double>> in;
  for (std::size_t k = 0; k < order.size(); ++k) {
    out.push_back({memory[k].data(), 1, order[k], order[k]});
    in.push_back({memory[k].data(), 1, order[k], order[k]});
  }
  rpsd::wavedec<double>(transform, {x.data(), 1, n, n}, level, out, 1);
  const std::size_t length = rpsd::waverec_length(transform, order);
  CHECK(length == n || length == n + 1);
  std::vector<double> y(length);
  rpsd::waverec<double>(transform, in, {y.data(), 1, length, length}, 1);
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
  if (!(worst < 1e-12)) std::fprintf(stderr, "%s, n %zu, level %d: off by %g\n", boundary, n, level, worst), ++failure_count();
}

}  // namespace

int main() {
  for (const char* boundary : {"zero", "constant", "symmetric", "reflect", "periodic", "smooth", "antisymmetric",
                               "antireflect", "periodization"})
    for (std::size_t n = 1; n < 70; ++n)
      for (const int level : {1, 2, 5}) check_round_trip(boundary, n, level);

  const rpsd::Transform<double> transform(daubechies2(), rpsd::Boundary::symmetric);
  bool refused = false;
  try {
    rpsd::waverec_length(transform, {5, 9});
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  CHECK(refused);
  return failed();
}
