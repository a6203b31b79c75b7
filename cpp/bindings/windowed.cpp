// SPDX-License-Identifier: MIT
// Denoising with a fixed lag.
#include "rpsd/windowed.hpp"

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
void define_for(py::class_<WindowedChain>& chain, Windowed<T> WindowedChain::*windowed) {
  using namespace py::literals;
  chain.def(
      "run",
      [windowed](const WindowedChain& self, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts,
                 int threads) { return run_batch<WindowedReport>(self.*windowed, x, out, starts, threads); },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "starts"_a, "threads"_a);
}

}  // namespace

void define_windowed(py::module_& m) {
  using namespace py::literals;
  auto chain = py::class_<WindowedChain>(m, "Windowed", py::is_final());
  chain.def(py::init([](const Chain& whole, std::size_t window, std::size_t lookahead, std::size_t min_periods) {
              return WindowedChain(whole.options, {window, lookahead, min_periods});
            }),
            "chain"_a, py::kw_only(), "window"_a, "lookahead"_a, "min_periods"_a);
  define_for<double>(chain, &WindowedChain::f64);
  define_for<float>(chain, &WindowedChain::f32);
}

}  // namespace rpsd::python
