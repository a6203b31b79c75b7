// SPDX-License-Identifier: MIT
// The rules of scad and of empirical Bayes: every instruction set against the definitions, every length and in place,
// and alike to the bit. The prior is taken as what it is a mixture of: m ~ N(0, 1/b - 1) with b ~ Beta(1/2, 1). Given z
// and b, m ~ N(z (1 - b), 1 - b), and z has the density sqrt(b) phi(z sqrt b); what is left is an integral over b.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../kernels/kernels.hpp"
#include "check.hpp"
#include "tables_here.hpp"

namespace {

constexpr unsigned kSeed = 20261126;
constexpr std::size_t kLengths[] = {0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 63, 64, 65, 127, 130, 200};

using rpsd::kernels::Kernels;
using rpsd::kernels::Table;

struct Node {
  double at, weight;
};

// Gauss and Legendre's rule on [0, 1].
std::vector<Node> legendre(int order) {
  std::vector<Node> nodes;
  for (int i = 0; i < order; ++i) {
    double x = std::cos(3.141592653589793 * (i + 0.75) / (order + 0.5)), slope = 0;
    for (int step = 0; step < 8; ++step) {
      double before = 1, p = x;
      for (int k = 2; k <= order; ++k) {
        const double next = ((2 * k - 1) * x * p - (k - 1) * before) / k;
        before = p;
        p = next;
      }
      slope = order * (x * p - before) / (x * x - 1);
      x -= p / slope;
    }
    nodes.push_back({(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)});
  }
  return nodes;
}

// For 0 <= s <= 1 with b = 1 - s^2, on panels that get shorter towards both ends: near 0 lies the step of a small limit,
// near 1 what a large z leaves.
const std::vector<Node>& graded() {
  static const std::vector<Node> all = [] {
    constexpr int kOctaves = 14;
    std::vector<double> edges = {0};
    for (int k = -kOctaves; k < -1; ++k) edges.insert(edges.end(), {std::exp2(k), 1.5 * std::exp2(k)});
    edges.push_back(0.5);
    for (std::size_t k = edges.size() - 1; k-- > 0;) edges.push_back(1 - edges[k]);
    std::vector<Node> nodes;
    for (std::size_t k = 0; k + 1 < edges.size(); ++k) {
      const double begin = edges[k], width = edges[k + 1] - begin;
      for (const Node& node : legendre(16)) nodes.push_back({begin + node.at * width, node.weight * width});
    }
    return nodes;
  }();
  return all;
}

double density(double z) { return std::exp(-z * z / 2); }  // times 1 / sqrt(2 pi), which is left out everywhere

// Of z and m != 0, times the mean of value(mean, variance) of m given z and b; db = 2 s ds against a density of
// 1 / (2 sqrt b), whose root is that of z's.
template <class Value>
double over_the_prior(double z, Value value) {
  double sum = 0;
  for (const Node& node : graded()) {
    const double s = node.at;
    sum += node.weight * s * density(z * std::sqrt(1 - s * s)) * value(z * s * s, s * s);
  }
  return sum;
}

double nonzero(double z) {
  return over_the_prior(z, [](double, double) { return 1.0; });
}

double above(double z, double limit) {
  return over_the_prior(z, [&](double mean, double variance) { return std::erfc((limit - mean) / std::sqrt(2 * variance)) / 2; });
}

double expected_mean(double z, double weight) {
  const double signal = over_the_prior(z, [](double mean, double) { return mean; });
  return weight * signal / ((1 - weight) * density(z) + weight * nonzero(z));
}

// The slope of the posterior mean: by Tweedie's formula, the posterior variance.
double expected_slope(double z, double weight) {
  const double square = over_the_prior(z, [](double mean, double variance) { return mean * mean + variance; });
  const double mean = expected_mean(z, weight);
  return weight * square / ((1 - weight) * density(z) + weight * nonzero(z)) - mean * mean;
}

// Positive where the posterior median of |z| is above the limit.
double excess(double z, double weight, double limit) {
  return 2 * weight * above(z, limit) - (1 - weight) * density(z) - weight * nonzero(z);
}

double threshold_of(double weight) {
  double low = 0, high = weight < 1 ? 10 : 0;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (excess(middle, weight, 0) > 0 ? high : low) = middle;
  }
  return high;
}

// Coefficients of both signs and all sizes, in units of sigma.
std::vector<double> sizes() {
  std::vector<double> z = {0, 0.003, 0.0041, 0.01, 0.2499, 0.2501, 29.99, 30.01, 33, 36, 45};
  for (double v = 0.02; v < 29; v *= 1.13) z.push_back(v);
  for (std::size_t i = 1; i < z.size(); i += 2) z[i] = -z[i];
  return z;
}

template <class T>
void check_posteriors(const Table<T>& table) {
  constexpr double kSigma = 0.5;  // exact, so that z is what it was
  // The equation for the median loses digits as z goes to 0.
  const double tolerance = sizeof(T) == 8 ? 3e-11 : 2e-7;
  std::vector<T> x;
  for (const double z : sizes()) x.push_back(static_cast<T>(kSigma * z));
  std::vector<T> mean(x.size()), median(x.size());
  for (const double weight : {1e-3, 0.2, 1.0}) {
    const double threshold = threshold_of(weight);
    double slopes, expected_slopes = 0;
    table.posterior_mean(x.data(), x.size(), kSigma, weight, mean.data(), &slopes);
    // Beyond 35 the slope is taken for the one at 35.
    for (const T v : x) expected_slopes += expected_slope(std::min(35.0, std::abs(static_cast<double>(v)) / kSigma), weight);
    CHECK(std::abs(slopes - expected_slopes) <= 1e-7 * expected_slopes);
    table.posterior_median(x.data(), x.size(), kSigma, weight, threshold, median.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double z = std::abs(static_cast<double>(x[i])) / kSigma, sign = x[i] < 0 ? -1 / kSigma : 1 / kSigma;
      const double m = sign * static_cast<double>(mean[i]), half = sign * static_cast<double>(median[i]);
      const double allowed = tolerance * (1 + z);
      CHECK(std::abs(m - expected_mean(z, weight)) <= allowed);
      if (z <= threshold || z < 0.004) {
        CHECK(z <= threshold ? median[i] == 0 : half >= 0 && half <= z);
        continue;
      }
      CHECK(half <= allowed || excess(z, weight, half - allowed) > 0);
      CHECK(excess(z, weight, half + allowed) < 0);
    }
  }
}

template <class T>
void check_odds(const Table<T>& table) {
  std::vector<T> x;
  for (const double z : sizes()) x.push_back(static_cast<T>(z));
  std::vector<double> odds(x.size());
  table.cauchy_odds(x.data(), x.size(), 1.0, odds.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double z = std::min(std::abs(static_cast<double>(x[i])), 35.0), y = z * z / 2;
    const double expected = z == 0 ? 0.5 : std::expm1(y) / (2 * y);
    CHECK(std::abs(odds[i] + 1 - expected) <= 1e-15 * (8 + y) * expected);
  }
}

double normal_tail(double u) { return std::erfc(u / std::sqrt(2.0)) / 2; }

// The Laplace prior by its two cut normal densities, in units of phi(z); z where erfc and exp lose nothing.
template <class T>
void check_laplace(const Table<T>& table, const Kernels& kernels) {
  constexpr double kSigma = 0.5, kRootTwoPi = 2.5066282746310002;
  const double tolerance = sizeof(T) == 8 ? 1e-12 : 2e-7;
  for (const double a : {0.04, 0.5, 3.0})
    for (const double weight : {1e-3, 0.2, 1.0})
      for (const double z : {0.0, 0.01, 0.3, 1.0, 2.5, 4.0, 7.0, 15.0, 34.0, 50.0}) {
        const double whole = kRootTwoPi * std::exp((z - a) * (z - a) / 2);
        const auto above = [&](double m) { return whole * normal_tail(m - (z - a)); };
        const double below = kRootTwoPi * std::exp((z + a) * (z + a) / 2) * normal_tail(z + a);
        const bool far = z > 30;  // where all is above
        const double both = above(0) + (far ? 0 : below), against = 2 * (1 - weight) / (weight * a);
        double odds, slope;
        if (z < 35) {
          kernels.ebayes.laplace_odds(&z, 1, a, &odds, &slope);
          CHECK(std::abs(odds + 1 - a / 2 * both) <= 1e-12 * (a / 2 * both));
          double up, down, unused;
          kernels.ebayes.laplace_odds(&z, 1, a * (1 + 1e-5), &up, &unused);
          kernels.ebayes.laplace_odds(&z, 1, a * (1 - 1e-5), &down, &unused);
          CHECK(std::abs((up - down) / (2e-5 * a) - slope) <= 1e-6 * (1 / a + z) * (1 + odds));
        }
        const T x = static_cast<T>(-kSigma * z);
        T mean, median;
        table.laplace_mean(&x, 1, kSigma, weight, a, &mean);
        const double moment = far ? z - a : ((z - a) * above(0) + (z + a) * below) / (against + both);
        CHECK(std::abs(-static_cast<double>(mean) / kSigma - moment) <= tolerance * (1 + z));
        // Half of the weight is above the median; where not even above 0, it is 0.
        table.laplace_median(&x, 1, kSigma, weight, a, 0, &median);
        const double m = -static_cast<double>(median) / kSigma, reach = tolerance * (1 + z);
        CHECK(m <= reach || far || above(m - reach) * 2 >= against + both);
        CHECK(far ? std::abs(m - (z - a)) <= reach : above(m + reach) * 2 <= against + both);
      }
}

template <class T>
void check_scad(const Table<T>& table) {
  const T most = std::numeric_limits<T>::max();
  for (const T t : {T(0), T(0.5), T(1), most / 4}) {
    const T unit = t > 0 ? t : T(1);
    std::vector<T> x;
    for (const double v : {0., .3, 1., 1.001, 1.7, 2., 2.001, 3., 3.69, 3.71, 3.99}) x.insert(x.end(), {T(v) * unit, T(-v) * unit});
    std::vector<T> y(x.size());
    table.scad(x.data(), x.size(), t, y.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      // In units that leave room for products.
      const double v = static_cast<double>(x[i] / unit), m = std::abs(v), s = t > 0 ? 1 : 0, a = 3.7;
      const double line = ((a - 1) * m - a * s) / (a - 2), near = std::max(m - s, 0.0);
      const double expected = std::copysign(m <= 2 * s ? near : m <= a * s ? line : m, v);
      CHECK(std::abs(static_cast<double>(y[i] / unit) - expected) <= 16 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    }
  }
}

void check_score(const Kernels& kernels) {
  std::mt19937_64 generator(kSeed);
  std::exponential_distribution<double> size(0.1);
  for (const std::size_t n : kLengths) {
    std::vector<double> odds(n);
    for (auto& v : odds) v = size(generator) - 0.5;
    for (const double weight : {1e-6, 0.3, 1.0}) {
      double sums[2];
      long double score = 0, squares = 0, largest = 0;
      for (const double v : odds) {
        const long double q = static_cast<long double>(v) / (1 + static_cast<long double>(weight) * static_cast<long double>(v));
        score += q;
        squares += q * q;
        largest += std::abs(q);
      }
      kernels.ebayes.weight_score(odds.data(), n, weight, sums);
      CHECK(std::abs(static_cast<double>(score) - sums[0]) <= 1e-14 * static_cast<double>(largest));
      CHECK(std::abs(static_cast<double>(squares) - sums[1]) <= 1e-14 * static_cast<double>(squares));
    }
  }
}

// All outputs for all lengths, one after the other; what is written in place is the same.
template <class T>
std::vector<double> outputs(const Table<T>& table) {
  std::mt19937_64 generator(kSeed + 1);
  std::normal_distribution<double> normal(0, 3);
  std::vector<double> all;
  for (const std::size_t n : kLengths) {
    std::vector<T> x(n);
    std::vector<double> odds(n);
    for (auto& v : x) v = static_cast<T>(normal(generator) * std::abs(normal(generator)));
    const auto add = [&](auto rule) {
      std::vector<T> apart(n), in_place = x;
      rule(x.data(), apart.data());
      rule(in_place.data(), in_place.data());
      CHECK(apart == in_place);
      all.insert(all.end(), apart.begin(), apart.end());
    };
    add([&](const T* from, T* to) { table.scad(from, n, T(0.7), to); });
    add([&](const T* from, T* to) { table.posterior_mean(from, n, 0.9, 0.2, to, nullptr); });
    add([&](const T* from, T* to) { table.posterior_median(from, n, 0.9, 0.2, 2.2, to); });
    add([&](const T* from, T* to) { table.laplace_mean(from, n, 0.9, 0.2, 0.6, to); });
    add([&](const T* from, T* to) { table.laplace_median(from, n, 0.9, 0.2, 0.6, 2.2, to); });
    table.cauchy_odds(x.data(), n, 1 / 0.9, odds.data());
    all.insert(all.end(), odds.begin(), odds.end());
  }
  return all;
}

std::vector<double> scores(const Kernels& kernels) {
  const auto odds = outputs(kernels.f64);
  std::vector<double> all;
  for (const std::size_t n : kLengths) {
    double sums[2];
    std::vector<double> positive(odds.begin(), odds.begin() + static_cast<std::ptrdiff_t>(n));
    for (auto& v : positive) v = std::abs(v);
    kernels.ebayes.weight_score(positive.data(), n, 0.1, sums);
    all.insert(all.end(), sums, sums + 2);
    std::vector<double> laplace(n), slopes(n);
    kernels.ebayes.laplace_odds(positive.data(), n, 0.6, laplace.data(), slopes.data());
    all.insert(all.end(), laplace.begin(), laplace.end());
    all.push_back(kernels.ebayes.laplace_score(laplace.data(), slopes.data(), n, 0.1));
  }
  return all;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

template <class T>
void check(const Table<T>& table, const Kernels& kernels, const Table<T>& first) {
  check_scad(table);
  check_odds(table);
  check_posteriors(table);
  check_laplace(table, kernels);
  CHECK(same_bits(outputs(table), outputs(first)));
}

}  // namespace

int main() {
  const auto tables = tables_here();
  for (const auto* table : tables) {
    check(table->f64, *table, tables[0]->f64);
    check(table->f32, *table, tables[0]->f32);
    check_score(*table);
    CHECK(same_bits(scores(*table), scores(*tables[0])));
    if (failure_count() > 0) return std::fprintf(stderr, "%s, seed %u\n", table->isa, kSeed), failed();
  }
  return 0;
}
