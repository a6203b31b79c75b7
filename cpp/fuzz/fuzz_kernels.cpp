// SPDX-License-Identifier: MIT
// Every instruction set that runs here gives the bits of the baseline, for finite numbers of any size.
#include "../kernels/kernels.hpp"
#include "../tests/tables_here.hpp"
#include "bytes.hpp"

namespace {

using rpsd::kernels::Table;

struct Shape {
  std::size_t n, half, taps, offset;
  double threshold;
};

// Buffers of the size that is asked for and no more, so that a sanitizer sees what is beyond.
template <class T>
std::vector<T> outputs(const Table<T>& table, const std::vector<T>& from, const Shape& shape) {
  const std::size_t n = shape.n, half = shape.half;
  std::vector<T> all;
  const auto add = [&](const std::vector<T>& y) { all.insert(all.end(), y.begin(), y.end()); };
  const auto part = [&](std::size_t begin, std::size_t count) {
    const auto at = from.begin() + static_cast<std::ptrdiff_t>(begin);
    return std::vector<T>(at, at + static_cast<std::ptrdiff_t>(count));
  };
  const auto x = part(shape.offset, n + half - 1), other = part(shape.offset + 3, n + half - 1), taps = part(0, 4 * half);
  std::vector<T> a(n), d(n), woven(2 * n), even((n + 1) / 2), odd(n / 2), scratch(n);
  table.analysis(x.data(), other.data(), n, taps.data(), half, a.data(), d.data());
  add(a), add(d);
  table.analysis_split(x.data(), other.data(), n, taps.data(), half, even.data(), odd.data(), d.data());
  add(even), add(odd), add(d);
  table.synthesis(x.data(), other.data(), n, taps.data(), half, woven.data());
  add(woven);
  table.split(x.data(), n, even.data(), odd.data());
  add(even), add(odd);

  const auto long_x = part(shape.offset, n + shape.taps - 1);
  auto filter = part(1, shape.taps);
  std::vector<T> work((2 * rpsd::kernels::kFirSegment + shape.taps) * (64 / sizeof(T)));
  table.fir(long_x.data(), n, filter.data(), shape.taps, a.data(), work.data());
  add(a);
  for (std::size_t k = 0; k < shape.taps / 2; ++k) filter[shape.taps - 1 - k] = filter[k];
  if (shape.taps > 1) table.fir_symmetric(long_x.data(), n, filter.data(), shape.taps, a.data(), work.data()), add(a);

  // T is float or double; a reduction is a double, whose two halves are compared.
  const auto number = [&](double v) {
    T halves[2] = {static_cast<T>(v), static_cast<T>(v - static_cast<double>(static_cast<T>(v)))};
    all.insert(all.end(), halves, halves + 2);
  };
  number(table.sum(x.data(), n)), number(table.sum_squares(x.data(), n)), number(table.all_finite(x.data(), n));
  if (n > 0) number(table.median_abs(x.data(), n, scratch.data()));
  const T t = static_cast<T>(shape.threshold);
  table.soft(x.data(), n, t, a.data()), add(a);
  table.hard(x.data(), n, t, a.data()), add(a);
  table.garrote(x.data(), n, t, a.data()), add(a);
  table.firm(x.data(), n, t, 2 * t, a.data()), add(a);
  table.scad(x.data(), n, t, a.data()), add(a);
  return all;
}

template <class T>
std::vector<T> finite(const std::vector<double>& x) {
  std::vector<T> y;
  for (const double v : x) y.push_back(std::isfinite(static_cast<T>(v)) ? static_cast<T>(v) : T(1));
  return y;
}

template <class T>
void compare(Table<T> rpsd::kernels::Kernels::* member, const std::vector<double>& numbers, const Shape& shape) {
  const auto from = finite<T>(numbers);
  const auto tables = tables_here();
  const auto expected = outputs(tables[0]->*member, from, shape);
  for (const auto* table : tables) {
    const auto got = outputs(table->*member, from, shape);
    REQUIRE(got.size() == expected.size() && same(got.data(), expected.data(), got.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  Shape shape{};
  shape.half = 1 + bytes.below(38);
  shape.taps = 1 + bytes.below(120);
  shape.offset = bytes.below(9);
  shape.threshold = std::fabs(bytes.number());
  if (!std::isfinite(shape.threshold)) shape.threshold = 0.5;
  if (shape.threshold > 1e38) shape.threshold = 1e38;  // a finite float, and its double is one
  const std::size_t beside = 4 * shape.half + shape.taps + shape.offset + 8;
  auto numbers = bytes.numbers(700);
  shape.n = numbers.size();
  while (numbers.size() < shape.n + beside) numbers.push_back(bytes.number());
  compare(&rpsd::kernels::Kernels::f64, numbers, shape);
  compare(&rpsd::kernels::Kernels::f32, numbers, shape);
  return 0;
}
