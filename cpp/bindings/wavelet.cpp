// SPDX-License-Identifier: MIT
// The wavelet transform's part of the Python module.
#include "arrays.hpp"
#include "rpsd/options.hpp"

namespace rpsd::python {
namespace {

// One filter bank and boundary for both dtypes.
struct BothTransforms {
  Transform<double> f64;
  Transform<float> f32;
  BothTransforms(const FilterBank& bank, Boundary boundary) : f64(bank, boundary), f32(bank, boundary) {}
};

template <class T>
py::list wavedec_rows(const Transform<T>& transform, Batch<const T> in, bool flat, int level, int threads) {
  auto lengths = level_lengths(transform, in.length, level);
  lengths.push_back(level > 0 ? lengths.back() : in.length);
  py::list coefficients(lengths.size());
  std::vector<Batch<T>> views;
  for (std::size_t k = 0; k < lengths.size(); ++k) {
    const std::size_t m = lengths[lengths.size() - 1 - k];
    Array<T> a = flat ? Array<T>(static_cast<py::ssize_t>(m)) : Array<T>({in.rows, m});
    views.push_back({a.mutable_data(), in.rows, m, m});
    coefficients[k] = std::move(a);
  }
  const Computing computing;
  wavedec(transform, in, level, views, threads);
  return coefficients;
}

template <class T>
py::list wavedec_array(const Transform<T>& transform, const Array<T>& x, int level, int threads) {
  require_threads(threads);
  const auto in = borrow<T>(x, "x");
  if (in.length == 0) throw std::invalid_argument("x must have at least one sample along time, got 0");
  if (level < 0) throw std::invalid_argument("level must be >= 0, got " + std::to_string(level));
  return wavedec_rows(transform, in, false, level, threads);
}

template <class T>
Array<T> waverec_array(const Transform<T>& transform, const std::vector<Array<T>>& coeffs, int threads) {
  require_threads(threads);
  if (coeffs.empty()) throw std::invalid_argument("coeffs must have at least one array, got none");
  std::vector<Batch<const T>> views;
  std::vector<std::size_t> lengths;
  for (const auto& c : coeffs) {
    views.push_back(borrow<T>(c, "coeffs"));
    lengths.push_back(views.back().length);
    if (views.back().rows != views[0].rows)
      throw std::invalid_argument("coeffs must all have " + std::to_string(views[0].rows) + " series, got " +
                                  std::to_string(views.back().rows));
  }
  Array<T> x({views[0].rows, waverec_length(transform, lengths)});
  const auto out = borrow_writable<T>(x, "x");
  const Computing computing;
  waverec(transform, views, out, threads);
  return x;
}

// The two calls below do what the general way does for one plain series, and leave the rest, all errors and warnings
// included, to it: they return None. The general way takes some 25 us a call, these 1 (Zen 3).
template <class T>
py::object wavedec_plain(const Transform<T>& transform, py::handle x, py::handle level) {
  const auto a = py::reinterpret_borrow<Array<T>>(x);
  const auto n = static_cast<std::size_t>(a.shape(0));
  if (n < 2) return py::none();
  int levels = transform.max_level(n);
  if (!level.is_none()) {
    if (!PyLong_CheckExact(level.ptr())) return py::none();
    int overflow = 0;
    const long wanted = PyLong_AsLongAndOverflow(level.ptr(), &overflow);
    if (overflow != 0 || wanted > levels) return py::none();
    levels = static_cast<int>(wanted);
  }
  if (levels < 1) return py::none();
  return wavedec_rows<T>(transform, {a.data(), 1, n, n}, true, levels, 1);
}

py::object wavedec_series(const BothTransforms& self, py::handle x, py::handle level) {
  if (is_plain_series<double>(x)) return wavedec_plain(self.f64, x, level);
  if (is_plain_series<float>(x)) return wavedec_plain(self.f32, x, level);
  return py::none();
}

template <class T>
py::object waverec_plain(const Transform<T>& transform, const py::list& coeffs) {
  std::vector<Batch<const T>> views;
  std::vector<std::size_t> lengths;
  for (const py::handle c : coeffs) {
    if (!is_plain_series<T>(c)) return py::none();
    const auto a = py::reinterpret_borrow<Array<T>>(c);
    lengths.push_back(static_cast<std::size_t>(a.shape(0)));
    views.push_back({a.data(), 1, lengths.back(), lengths.back()});
  }
  if (lengths.size() < 2 || !fits(transform, lengths)) return py::none();
  Array<T> x(static_cast<py::ssize_t>(waverec_length(transform, lengths)));
  const Batch<T> out{x.mutable_data(), 1, static_cast<std::size_t>(x.shape(0)), static_cast<std::size_t>(x.shape(0))};
  {
    const Computing computing;
    waverec(transform, views, out, 1);
  }
  return x;
}

py::object waverec_series(const BothTransforms& self, const py::list& coeffs) {
  if (coeffs.empty()) return py::none();
  return is_plain_series<float>(coeffs[0]) ? waverec_plain(self.f32, coeffs) : waverec_plain(self.f64, coeffs);
}

template <class T>
void define_for(py::class_<BothTransforms>& both, Transform<T> BothTransforms::*transform) {
  using namespace py::literals;
  both.def(
      "wavedec",
      [transform](const BothTransforms& self, const Array<T>& x, int level, int threads) {
        return wavedec_array(self.*transform, x, level, threads);
      },
      "x"_a.noconvert(), py::kw_only(), "level"_a, "threads"_a);
  both.def(
      "waverec",
      [transform](const BothTransforms& self, const std::vector<Array<T>>& coeffs, int threads) {
        return waverec_array(self.*transform, coeffs, threads);
      },
      "coeffs"_a.noconvert(), py::kw_only(), "threads"_a);
}

}  // namespace

void define_wavelet(py::module_& m) {
  using namespace py::literals;
  auto both = py::class_<BothTransforms>(m, "Transform", py::is_final());
  both.def(py::init([](const Bank& bank, const std::string& boundary) {
             return BothTransforms(filter_bank(bank), parse_boundary(boundary));
           }),
           py::kw_only(), "bank"_a, "boundary"_a);
  both.def("wavedec_series", &wavedec_series, "x"_a, "level"_a, py::pos_only());
  both.def("waverec_series", &waverec_series, "coeffs"_a, py::pos_only());
  define_for<double>(both, &BothTransforms::f64);
  define_for<float>(both, &BothTransforms::f32);
}

}  // namespace rpsd::python
