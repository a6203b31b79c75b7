// SPDX-License-Identifier: MIT
// The causal denoiser's part of the Python module: batches, and streams whose state is an array of the caller's.
#include "rpsd/causal_price.hpp"

#include "arrays.hpp"
#include "rpsd/options.hpp"

namespace rpsd::python {

void define_causal_price(py::module_& m);

namespace {

using Doubles = Array<double>;

PriceMethod parse_causal_method(const std::string& method) {
  if (method == "auto") return PriceMethod::automatic;
  if (method == "kalman") return PriceMethod::kalman;
  throw std::invalid_argument("method must be auto or kalman, got \"" + method + "\"");
}

CausalModel make_model(const std::string& method, std::size_t lookahead, const std::string& outliers, double min_gain_db) {
  return CausalModel({parse_causal_method(method), lookahead, parse_outliers(outliers) == Outliers::spike, min_gain_db});
}

void require_series(const Doubles& x) {
  if (x.ndim() != 1) throw std::invalid_argument("x must be one series, got shape " + shape_text(x));
}

void require_state(const CausalModel& model, const Doubles& state) {
  if (state.ndim() != 1 || static_cast<std::size_t>(state.size()) != model.state_size())
    throw std::invalid_argument("state must be " + std::to_string(model.state_size()) + " numbers, got shape " + shape_text(state));
}

py::tuple denoise(const CausalModel& model, const Doubles& x, int threads) {
  require_threads(threads);
  const auto in = borrow(x, "x");
  Doubles y({in.rows, in.length});
  const Batch<double> out{y.mutable_data(), in.rows, in.length, in.stride};
  std::vector<CausalReport> reports(in.rows);
  {
    const Computing computing;
    causal_price(model, in, out, reports.data(), threads);
  }
  Doubles table({in.rows, std::size_t{6}});
  double* p = table.mutable_data();
  for (const auto& r : reports)
    for (const double value : {r.noise_sd, r.step_sd, r.gain_db, r.gate, static_cast<double>(r.resets), static_cast<double>(r.seen)})
      *p++ = value;
  return py::make_tuple(y, table);
}

Doubles start(const CausalModel& model) {
  Doubles state(static_cast<py::ssize_t>(model.state_size()));
  model.start(state.mutable_data());
  return state;
}

Doubles push(const CausalModel& model, Doubles& state, const Doubles& x) {
  require_state(model, state);
  require_series(x);
  const auto n = static_cast<std::size_t>(x.size());
  Doubles y(x.size());
  double *const block = state.mutable_data(), *const out = y.mutable_data();
  const Computing computing;
  model.push(block, x.data(), n, out);
  return y;
}

Doubles flush(const CausalModel& model, const Doubles& state) {
  require_state(model, state);
  Doubles scratch(state.size()), y(static_cast<py::ssize_t>(model.lookahead()));
  const DefaultFloatMode mode;
  model.flush(state.data(), scratch.mutable_data(), y.mutable_data());
  return y;
}

py::dict report(const CausalModel& model, const Doubles& state) {
  require_state(model, state);
  const CausalReport r = model.report(state.data());
  py::dict found;
  found["noise_sd"] = r.noise_sd;
  found["step_sd"] = r.step_sd;
  found["gain_db"] = r.gain_db;
  found["gate"] = r.gate;
  found["resets"] = r.resets;
  found["seen"] = r.seen;
  return found;
}

}  // namespace

void define_causal_price(py::module_& m) {
  using namespace py::literals;
  auto model = py::class_<CausalModel>(m, "CausalModel", py::is_final());
  model.def(py::init(&make_model), py::kw_only(), "method"_a, "lookahead"_a, "outliers"_a, "min_gain_db"_a);
  model.def("denoise", &denoise, "x"_a.noconvert(), py::kw_only(), "threads"_a);
  model.def("start", &start);
  model.def("push", &push, "state"_a.noconvert(), "x"_a.noconvert());
  model.def("flush", &flush, "state"_a.noconvert());
  model.def("report", &report, "state"_a.noconvert());
}

}  // namespace rpsd::python
