// SPDX-License-Identifier: MIT
// Calls that another thread, or Ctrl-C, ends before they are done.
#include "rpsd/stop.hpp"

#include <pybind11/pybind11.h>

#include <chrono>
#include <csignal>

namespace rpsd::python {

namespace py = pybind11;

void define_stop(py::module_& m);

namespace {

// Ctrl-C: Python's own handler would raise KeyboardInterrupt, once the call were over.
struct Interrupted : Stopped {};

// Python's signal.getsignal and default_int_handler; never released, as threads may outlive the interpreter.
PyObject *get_handler, *default_handler;

bool has_default_handler() {
  const auto handler = py::reinterpret_steal<py::object>(PyObject_CallFunction(get_handler, "i", SIGINT));
  if (!handler) PyErr_Clear();
  return handler.ptr() == default_handler;
}

// No handler runs here, which might call the core again in the middle of a call: only where the signal would have raised
// KeyboardInterrupt is it taken. Python tells the main thread alone of it.
void raise_if_interrupted() {
  using Clock = std::chrono::steady_clock;
  constexpr auto kSeldom = std::chrono::milliseconds(200);  // waiting for the GIL takes up to five
  static Clock::time_point last;  // of the one thread that has this poll
  const auto now = Clock::now();
  if (now - last < kSeldom) return;
  last = now;
  const py::gil_scoped_acquire gil;
  if (has_default_handler() && PyOS_InterruptOccurred() != 0) throw Interrupted();
}

PyObject* stopped_type;

}  // namespace

void define_stop(py::module_& m) {
  using namespace py::literals;
  py::class_<Stop>(m, "Stop", py::is_final())
      .def(py::init<>())
      .def("set", &Stop::set)
      .def_property_readonly("is_set", &Stop::is_set)
      .def(
          "during",
          [](const Stop& self, const py::function& call) {
            StopSource source = stop_source();
            source.told = &self;
            const StopScope scope(source);
            return call();
          },
          "call"_a, py::pos_only());
  // No Exception: what handles errors, and answers in their place, must not take it for one.
  stopped_type = PyErr_NewException("rpsd._core.Stopped", PyExc_BaseException, nullptr);
  if (stopped_type == nullptr) throw py::error_already_set();
  m.attr("Stopped") = py::handle(stopped_type);
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Interrupted&) {
      PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const Stopped& stopped) {
      PyErr_SetString(stopped_type, stopped.what());
    }
  });
  const auto signals = py::module_::import("_signal");
  get_handler = py::object(signals.attr("getsignal")).release().ptr();
  default_handler = py::object(signals.attr("default_int_handler")).release().ptr();
  StopSource source = stop_source();
  // Of the thread that imports: elsewhere than in the main thread Python would tell it of no signal.
  source.poll = &raise_if_interrupted;
  set_stop_source(source);
}

}  // namespace rpsd::python
