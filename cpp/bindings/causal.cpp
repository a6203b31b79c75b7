// SPDX-License-Identifier: MIT
// The default method and the local level with a fixed lag, over arrays.
#include "rpsd/causal.hpp"

#include "chain.hpp"

namespace rpsd::python {

void define_causal(py::module_& m);

namespace {

// One model for both dtypes.
struct CausalChain {
  Causal<double> f64;
  Causal<float> f32;
  CausalChain(const Options& options, std::size_t lookahead) : f64(options, lookahead), f32(options, lookahead) {}
};

template <class T>
void define_for(py::class_<CausalChain>& chain, Causal<T> CausalChain::*causal) {
  using namespace py::literals;
  chain.def(
      "run",
      [causal](const CausalChain& self, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts,
               int threads) { return run_batch<WindowedReport>(self.*causal, x, out, starts, threads); },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "starts"_a, "threads"_a);
}

}  // namespace

void define_causal(py::module_& m) {
  using namespace py::literals;
  auto chain = py::class_<CausalChain>(m, "Causal", py::is_final());
  chain.def(py::init([](const Chain& whole, std::size_t lookahead) { return CausalChain(whole.options, lookahead); }), "chain"_a,
            py::kw_only(), "lookahead"_a);
  define_for(chain, &CausalChain::f64);
  define_for(chain, &CausalChain::f32);
}

}  // namespace rpsd::python
