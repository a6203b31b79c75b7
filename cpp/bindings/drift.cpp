// SPDX-License-Identifier: MIT
// The drift monitor's part of the Python module: one series at a time, whose state is an array of the caller's.
#include "rpsd/drift.hpp"

#include "arrays.hpp"

namespace rpsd::python {

void define_drift(py::module_& m);

namespace {

using Doubles = Array<double>;

DriftMonitor make_monitor(std::size_t reference, double run_length) { return DriftMonitor({reference, run_length}); }

void require_state(const Doubles& state) {
  if (state.ndim() != 1 || static_cast<std::size_t>(state.size()) != DriftMonitor::state_size())
    throw std::invalid_argument("state must be " + std::to_string(DriftMonitor::state_size()) + " numbers, got shape " +
                                shape_text(state));
}

Doubles start(const DriftMonitor& monitor) {
  Doubles state(static_cast<py::ssize_t>(DriftMonitor::state_size()));
  monitor.start(state.mutable_data());
  return state;
}

Array<std::uint8_t> push(const DriftMonitor& monitor, Doubles& state, const Doubles& x, const Doubles& sample, const Doubles& y) {
  require_state(state);
  if (x.ndim() != 1) throw std::invalid_argument("x must be one series, got shape " + shape_text(x));
  for (const auto& [array, name] : {std::pair{sample, "sample"}, std::pair{y, "y"}})
    if (array.ndim() != 1 || array.size() != x.size())
      throw std::invalid_argument(std::string(name) + " must have the shape of x, " + shape_text(x) + ", got " + shape_text(array));
  const auto n = static_cast<std::size_t>(x.size());
  Array<std::uint8_t> standing(x.size());
  double* const block = state.mutable_data();
  std::uint8_t* const out = standing.mutable_data();
  const Computing computing;
  for (std::size_t t = 0; t < n; ++t) {
    monitor.push(block, x.data()[t], sample.data()[t], y.data()[t]);
    out[t] = static_cast<std::uint8_t>(monitor.standing(block));
  }
  return standing;
}

void acknowledge(const DriftMonitor& monitor, Doubles& state) {
  require_state(state);
  monitor.acknowledge(state.mutable_data());
}

py::dict report(const DriftMonitor& monitor, const Doubles& state) {
  require_state(state);
  const DriftReport r = monitor.report(state.data());
  py::dict found;
  for (std::size_t i = 0; i < kDrifts; ++i)
    found[kDriftNames[i]] = py::make_tuple(r.rates[i].reference, r.rates[i].recent, r.rates[i].alarm, r.rates[i].alarms);
  found["residual"] = r.residual;
  found["lag"] = r.lag;
  return found;
}

}  // namespace

void define_drift(py::module_& m) {
  using namespace py::literals;
  auto monitor = py::class_<DriftMonitor>(m, "Drift", py::is_final());
  monitor.def(py::init(&make_monitor), py::kw_only(), "reference"_a, "run_length"_a);
  monitor.def("start", &start);
  monitor.def("push", &push, "state"_a.noconvert(), "x"_a.noconvert(), "sample"_a.noconvert(), "y"_a.noconvert());
  monitor.def("acknowledge", &acknowledge, "state"_a.noconvert());
  monitor.def("report", &report, "state"_a.noconvert());
}

}  // namespace rpsd::python
