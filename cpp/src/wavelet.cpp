// SPDX-License-Identifier: MIT
// Mallat's pyramid in polyphase form (Mallat 1989; Strang & Nguyen 1996, chapter 4): the signal is extended once,
// split into even and odd samples, and filtered at the low rate. Here are its parameters; pyramid.cpp runs it.
#include "rpsd/wavelet.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "rpsd/cpu.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/pyramid.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

template <class T>
std::vector<T> interleave(const std::vector<double>& p, const std::vector<double>& q, bool reversed, std::size_t half) {
  // Four taps a step: for analysis (lo even, lo odd, hi even, hi odd) read backwards; for synthesis the even
  // output's (lo, hi), then the odd output's.
  std::vector<T> taps(4 * half);
  for (std::size_t m = 0; m < half; ++m) {
    const std::size_t far = 2 * (half - m) - 1, near = far - 1;
    if (reversed) {
      taps[4 * m] = static_cast<T>(p[far]);
      taps[4 * m + 1] = static_cast<T>(p[near]);
      taps[4 * m + 2] = static_cast<T>(q[far]);
      taps[4 * m + 3] = static_cast<T>(q[near]);
    } else {
      taps[4 * m] = static_cast<T>(p[near]);
      taps[4 * m + 1] = static_cast<T>(q[near]);
      taps[4 * m + 2] = static_cast<T>(p[far]);
      taps[4 * m + 3] = static_cast<T>(q[far]);
    }
  }
  return taps;
}

std::size_t checked_half(const FilterBank& bank) {
  const std::size_t n = bank.dec_lo.size();
  if (n < 2 || n % 2 != 0 || bank.dec_hi.size() != n || bank.rec_lo.size() != n || bank.rec_hi.size() != n)
    throw std::invalid_argument("wavelet must have four filters of one even length >= 2, got lengths " +
                                std::to_string(n) + ", " + std::to_string(bank.dec_hi.size()) + ", " +
                                std::to_string(bank.rec_lo.size()) + ", " + std::to_string(bank.rec_hi.size()));
  return n / 2;
}

}  // namespace

template <class T>
Transform<T>::Transform(const FilterBank& bank, Boundary boundary)
    : boundary_(boundary),
      half_(checked_half(bank)),
      analysis_taps_(interleave<T>(bank.dec_lo, bank.dec_hi, true, half_)),
      synthesis_taps_(interleave<T>(bank.rec_lo, bank.rec_hi, false, half_)) {}

template <class T>
std::size_t Transform<T>::coefficient_count(std::size_t n) const noexcept {
  return boundary_ == Boundary::periodization ? (n + 1) / 2 : (n + taps() - 1) / 2;
}

template <class T>
std::size_t Transform<T>::sample_count(std::size_t m) const noexcept {
  if (boundary_ == Boundary::periodization) return 2 * m;
  return m < half_ ? 0 : 2 * (m - half_ + 1);
}

template <class T>
int Transform<T>::max_level(std::size_t n) const noexcept {
  int level = 0;
  for (std::size_t reach = 2 * (taps() - 1); reach <= n; reach *= 2) ++level;
  return level;
}

template <class T>
std::vector<std::size_t> level_lengths(const Transform<T>& transform, std::size_t n, int level) {
  std::vector<std::size_t> lengths;
  for (int k = 0; k < level; ++k) lengths.push_back(n = transform.coefficient_count(n));
  return lengths;
}

namespace {

template <class Pointer>
struct DetailRows {
  std::vector<Pointer> rows;
};

// Shares rows out, or the tiles of each row where there are fewer rows than threads.
template <class T, class Body>
void for_each_tile(std::size_t rows, const Pyramid<T>& pyramid, int threads, const Body& body) {
  active_kernels();  // a bad RPSD_ISA is reported from the caller's thread
  const std::size_t tiles = pyramid.tiles();
  parallel_for(rows * tiles, threads, [&](std::size_t begin, std::size_t end) {
    auto& scratch = of_this_thread<PyramidScratch<T>>();
    for (std::size_t i = begin; i < end; ++i) body(i / tiles, i % tiles, scratch);
  });
}

}  // namespace

template <class T>
void wavedec(const Transform<T>& transform, Batch<const T> x, int level, const std::vector<Batch<T>>& coefficients,
             int threads) {
  auto lengths = level_lengths(transform, x.length, level);
  lengths.insert(lengths.begin(), x.length);
  const Pyramid<T> pyramid(transform, std::move(lengths));
  for_each_tile(x.rows, pyramid, threads, [&](std::size_t row, std::size_t tile, PyramidScratch<T>& scratch) {
    auto& details = of_this_thread<DetailRows<T*>>().rows;
    details.clear();
    for (std::size_t k = pyramid.levels(); k > 0; --k) details.push_back(coefficients[k].row(row));
    pyramid.forward(tile, x.row(row), details.data(), coefficients[0].row(row), nullptr, scratch);
  });
}

template <class T>
bool fits(const Transform<T>& transform, const std::vector<std::size_t>& lengths) noexcept {
  std::size_t n = lengths.at(0);
  for (std::size_t k = 1; k < lengths.size(); ++k) {
    if (n != lengths[k] && n != lengths[k] + 1) return false;
    n = transform.sample_count(lengths[k]);
    if (n == 0) return false;
  }
  return true;
}

template <class T>
std::size_t waverec_length(const Transform<T>& transform, const std::vector<std::size_t>& lengths) {
  std::size_t n = lengths.at(0);
  for (std::size_t k = 1; k < lengths.size(); ++k) {
    const std::size_t m = lengths[k];
    if (n == m + 1) n = m;
    if (n != m)
      throw std::invalid_argument("coeffs[" + std::to_string(k) + "] must have " + std::to_string(n) +
                                  " coefficients (or one fewer) to go with the approximation before it, got " +
                                  std::to_string(m));
    n = transform.sample_count(m);
    if (n == 0)
      throw std::invalid_argument("coeffs[" + std::to_string(k) + "] must have at least " +
                                  std::to_string(transform.taps() / 2) + " coefficients for a filter of " +
                                  std::to_string(transform.taps()) + " taps, got " + std::to_string(m));
  }
  return n;
}

template <class T>
void waverec(const Transform<T>& transform, const std::vector<Batch<const T>>& coefficients, Batch<T> x, int threads) {
  std::vector<std::size_t> lengths{x.length};
  for (std::size_t k = coefficients.size() - 1; k > 0; --k) lengths.push_back(coefficients[k].length);
  const Pyramid<T> pyramid(transform, std::move(lengths));
  for_each_tile(x.rows, pyramid, threads, [&](std::size_t row, std::size_t tile, PyramidScratch<T>& scratch) {
    auto& details = of_this_thread<DetailRows<const T*>>().rows;
    details.clear();
    for (std::size_t k = pyramid.levels(); k > 0; --k) details.push_back(coefficients[k].row(row));
    pyramid.inverse(tile, coefficients[0].row(row), details.data(), nullptr, x.row(row), scratch);
  });
}

#define RPSD_INSTANTIATE(T)                                                                                      \
  template class Transform<T>;                                                                                   \
  template std::vector<std::size_t> level_lengths<T>(const Transform<T>&, std::size_t, int);                     \
  template void wavedec<T>(const Transform<T>&, Batch<const T>, int, const std::vector<Batch<T>>&, int);         \
  template bool fits<T>(const Transform<T>&, const std::vector<std::size_t>&) noexcept;                          \
  template std::size_t waverec_length<T>(const Transform<T>&, const std::vector<std::size_t>&);                  \
  template void waverec<T>(const Transform<T>&, const std::vector<Batch<const T>>&, Batch<T>, int);
RPSD_INSTANTIATE(double)
RPSD_INSTANTIATE(float)
#undef RPSD_INSTANTIATE

}  // namespace rpsd
