// SPDX-License-Identifier: MIT
// The maximal overlap transform's part of the Python module.
#include "arrays.hpp"
#include "rpsd/modwt.hpp"

namespace rpsd::python {

void define_modwt(py::module_& m);

namespace {

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw std::invalid_argument(otherwise);
}

template <class T>
Array<T> modwt(const Array<T>& x, const Bank& bank, const std::string& boundary, int level, int threads) {
  require_threads(threads);
  require(x.ndim() == 2 && x.shape(1) > 0, "x must be series x time with at least one sample");
  require(level >= 0 && level <= kMaxModwtLevel,
          "level must be from 0 to " + std::to_string(kMaxModwtLevel) + ", got " + std::to_string(level));
  const auto kind = parse_modwt_boundary(boundary);
  const auto filters = filter_bank(bank);
  const auto series = static_cast<std::size_t>(x.shape(0)), n = static_cast<std::size_t>(x.shape(1));
  const auto rows = static_cast<std::size_t>(level + 1);
  Array<T> coeffs({series, rows, n});
  const Batch<const T> from{x.data(), series, n, n};
  const Batch<T> to{coeffs.mutable_data(), series * rows, n, n};
  {
    const Computing computing;
    rpsd::modwt<T>(filters, kind, level, from, to, threads);
  }
  return coeffs;
}

template <class T>
Array<T> imodwt(const Array<T>& coeffs, const Bank& bank, const std::string& boundary, int threads) {
  require_threads(threads);
  require(coeffs.ndim() == 3 && coeffs.shape(1) > 0 && coeffs.shape(1) <= kMaxModwtLevel + 1 && coeffs.shape(2) > 0,
          "coeffs must be series x (level + 1) x time with at least one sample and a level from 0 to " +
              std::to_string(kMaxModwtLevel));
  const auto kind = parse_modwt_boundary(boundary);
  const auto filters = filter_bank(bank);
  const auto series = static_cast<std::size_t>(coeffs.shape(0)), rows = static_cast<std::size_t>(coeffs.shape(1));
  const auto n = static_cast<std::size_t>(coeffs.shape(2));
  Array<T> x({series, n});
  const Batch<const T> from{coeffs.data(), series * rows, n, n};
  const Batch<T> to{x.mutable_data(), series, n, n};
  {
    const Computing computing;
    rpsd::imodwt<T>(filters, kind, static_cast<int>(rows) - 1, from, to, threads);
  }
  return x;
}

template <class T>
void define_for(py::module_& m) {
  using namespace py::literals;
  m.def("modwt", &modwt<T>, "x"_a.noconvert(), py::kw_only(), "bank"_a, "boundary"_a, "level"_a, "threads"_a);
  m.def("imodwt", &imodwt<T>, "coeffs"_a.noconvert(), py::kw_only(), "bank"_a, "boundary"_a, "threads"_a);
}

}  // namespace

void define_modwt(py::module_& m) {
  define_for<double>(m);
  define_for<float>(m);
}

}  // namespace rpsd::python
