// SPDX-License-Identifier: MIT
// What the parts of the Python module share: dtype and layout checks, borrowed views.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "rpsd/float_mode.hpp"
#include "rpsd/view.hpp"
#include "rpsd/wavelet.hpp"

namespace rpsd::python {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Bank = std::tuple<std::vector<double>, std::vector<double>, std::vector<double>, std::vector<double>>;

// While the core computes: other Python threads run, and the floating-point mode is the default.
struct Computing {
  DefaultFloatMode mode;
  py::gil_scoped_release release;
};

inline FilterBank filter_bank(const Bank& bank) {
  return {std::get<0>(bank), std::get<1>(bank), std::get<2>(bank), std::get<3>(bank)};
}

inline std::string shape_text(const py::array& a) { return py::str(a.attr("shape")); }

// A view of a series x time array; arguments are bound noconvert, so the dtype and the layout are right already.
template <class T>
Batch<const T> borrow(const Array<T>& a, const char* name) {
  if (a.ndim() != 2)
    throw std::invalid_argument(std::string(name) + " must be two-dimensional (series x time), got shape " + shape_text(a));
  const auto length = static_cast<std::size_t>(a.shape(1));
  return {a.data(), static_cast<std::size_t>(a.shape(0)), length, length};
}

template <class T>
Batch<T> borrow_writable(Array<T>& a, const char* name) {
  const auto view = borrow<T>(a, name);
  return {a.mutable_data(), view.rows, view.length, view.stride};
}

template <class T>
void require_same_shape(const Array<T>& a, const Array<T>& b, const char* name) {
  if (a.ndim() != b.ndim() || a.shape(0) != b.shape(0) || a.shape(1) != b.shape(1))
    throw std::invalid_argument(std::string(name) + " must have the shape of x, " + shape_text(a) + ", got " + shape_text(b));
}

inline void require_threads(int threads) {
  if (threads < 0) throw std::invalid_argument("threads must be 0 (all) or positive, got " + std::to_string(threads));
}

// True for an ndarray (no subclass) of T, one-dimensional, contiguous, aligned and in native byte order: the plain
// case, which needs none of the general way's care.
template <class T>
bool is_plain_series(py::handle x) {
  using Api = py::detail::npy_api;
  if (!Array<T>::check_(x) || py::type::handle_of(x).ptr() != reinterpret_cast<PyObject*>(Api::get().PyArray_Type_))
    return false;
  const auto a = py::reinterpret_borrow<py::array>(x);
  return a.ndim() == 1 && (a.flags() & Api::NPY_ARRAY_ALIGNED_) != 0;
}

}  // namespace rpsd::python
