// SPDX-License-Identifier: MIT
#include "rpsd/block_threshold.hpp"

#include <algorithm>
#include <cmath>

namespace rpsd {
namespace {

// The root of lambda - ln lambda = 3 (Cai 1999).
constexpr double kLambda = 4.50524;

double factor(double squares, double limit) noexcept { return squares > limit ? 1 - limit / squares : 0.0; }

}  // namespace

Blocks blocks_of(ThresholdMode mode, std::size_t n) noexcept {
  const double log_n = std::log(static_cast<double>(std::max<std::size_t>(n, 1)));
  const auto whole = [](double v) { return std::max<std::size_t>(static_cast<std::size_t>(v), 1); };
  if (mode == ThresholdMode::blockjs) return {whole(log_n), 0};
  const std::size_t length = whole(log_n / 2);
  return {length, std::max<std::size_t>(length / 2, 1)};
}

template <class T>
void shrink_blocks(Blocks blocks, T* d, std::size_t m, double sigma, Buffer<double>& scratch) {
  double* const factors = scratch.get(m / blocks.length + 1);
  for (std::size_t begin = 0, b = 0; begin < m; begin += blocks.length, ++b) {
    const std::size_t from = begin - std::min(begin, blocks.margin);
    const std::size_t to = std::min(m, begin + blocks.length + blocks.margin);
    double squares = 0;
    for (std::size_t i = from; i < to; ++i) squares += static_cast<double>(d[i]) * static_cast<double>(d[i]);
    factors[b] = factor(squares, kLambda * static_cast<double>(to - from) * sigma * sigma);
  }
  for (std::size_t begin = 0, b = 0; begin < m; begin += blocks.length, ++b)
    for (std::size_t i = begin; i < std::min(m, begin + blocks.length); ++i)
      d[i] = static_cast<T>(static_cast<double>(d[i]) * factors[b]);
}

template <class T>
void shrink_blocks_all_shifts(Blocks blocks, T* d, std::size_t period, std::size_t stride, double sigma,
                              Buffer<double>& scratch) {
  const std::size_t around = blocks.length + 2 * blocks.margin, step = stride % period;
  double* const squares = scratch.get(3 * period);
  double* const factors = squares + period;
  double* const sum = factors + period;
  for (std::size_t t = 0; t < period; ++t) squares[t] = static_cast<double>(d[t]) * static_cast<double>(d[t]);
  // to[t] += from[(t + offset) % period], in two runs without the remainder.
  const auto add_from = [period](const double* from, std::size_t offset, double* to) {
    for (std::size_t t = 0; t < period - offset; ++t) to[t] += from[t + offset];
    for (std::size_t t = period - offset; t < period; ++t) to[t] += from[t + offset - period];
  };
  // factors[t]: of the block and its margin that begin at t.
  std::fill(sum, sum + period, 0.0);
  for (std::size_t k = 0, offset = 0; k < around; ++k, offset = (offset + step) % period) add_from(squares, offset, sum);
  const double limit = kLambda * static_cast<double>(around) * sigma * sigma;
  for (std::size_t t = 0; t < period; ++t) factors[t] = factor(sum[t], limit);
  // A coefficient is one of `length` in the middle.
  std::fill(sum, sum + period, 0.0);
  for (std::size_t k = 0; k < blocks.length; ++k)
    add_from(factors, (period - (blocks.margin + k) % period * step % period) % period, sum);
  const double count = static_cast<double>(blocks.length);
  for (std::size_t t = 0; t < period; ++t) d[t] = static_cast<T>(static_cast<double>(d[t]) * (sum[t] / count));
}

template void shrink_blocks<double>(Blocks, double*, std::size_t, double, Buffer<double>&);
template void shrink_blocks<float>(Blocks, float*, std::size_t, double, Buffer<double>&);
template void shrink_blocks_all_shifts<double>(Blocks, double*, std::size_t, std::size_t, double, Buffer<double>&);
template void shrink_blocks_all_shifts<float>(Blocks, float*, std::size_t, std::size_t, double, Buffer<double>&);

}  // namespace rpsd
