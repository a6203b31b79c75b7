// SPDX-License-Identifier: MIT
// Denoising with a fixed lag, over arrays and over streams.
#include "rpsd/windowed.hpp"

#include <algorithm>

#include "chain.hpp"

namespace rpsd::python {
namespace {

// One chain over windows for both dtypes.
struct WindowedChain {
  Windowed<double> f64;
  Windowed<float> f32;
  WindowedChain(const Options& options, const WindowOptions& windows) : f64(options, windows), f32(options, windows) {}
};

template <class T>
struct WindowStream {
  const Windowed<T>& windowed;
  WindowState<T> state;
};

template <class T>
Array<T> push(WindowStream<T>& stream, const Array<T>& x, bool begins) {
  if (x.ndim() != 1) throw std::invalid_argument("x must be one-dimensional, got shape " + shape_text(x));
  Array<T> y(x.shape(0));
  const auto n = static_cast<std::size_t>(x.shape(0));
  T* const out = y.mutable_data();
  stream.state.begins |= begins;
  stream.windowed.push(stream.state, x.data(), n, out);
  return y;
}

template <class T>
void define_for(py::module_& m, py::class_<WindowedChain>& chain, Windowed<T> WindowedChain::*windowed, const char* dtype) {
  using namespace py::literals;
  py::class_<WindowStream<T>>(m, (std::string("WindowStream_") + dtype).c_str(), py::is_final())
      .def("push", &push<T>, "x"_a.noconvert(), py::kw_only(), "begins"_a);
  chain.def(
      "run",
      [windowed](const WindowedChain& self, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts,
                 int threads) { return run_batch<WindowedReport>(self.*windowed, x, out, starts, threads); },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "starts"_a, "threads"_a);
  chain.def(
      (std::string("stream_") + dtype).c_str(),
      [windowed](const WindowedChain& self) { return WindowStream<T>{self.*windowed, (self.*windowed).begin()}; },
      py::keep_alive<0, 1>());
}

}  // namespace

void define_windowed(py::module_& m) {
  using namespace py::literals;
  auto chain = py::class_<WindowedChain>(m, "Windowed", py::is_final());
  chain.def(py::init([](const Chain& whole, std::size_t window, std::size_t lookahead, std::size_t min_periods) {
              return WindowedChain(whole.options, {window, lookahead, min_periods});
            }),
            "chain"_a, py::kw_only(), "window"_a, "lookahead"_a, "min_periods"_a);
  define_for<double>(m, chain, &WindowedChain::f64, "float64");
  define_for<float>(m, chain, &WindowedChain::f32, "float32");
}

}  // namespace rpsd::python
