// SPDX-License-Identifier: MIT
// The default method and the local level with a fixed lag, over arrays and over streams.
#include "rpsd/causal.hpp"

#include <algorithm>

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

using States = Array<double>;

void require_states(const CausalChain& chain, const States& states) {
  if (states.ndim() != 2 || static_cast<std::size_t>(states.shape(1)) != chain.f64.state_size())
    throw std::invalid_argument("states must be series x " + std::to_string(chain.f64.state_size()) + ", got shape " +
                                shape_text(states));
}

States start(const CausalChain& chain, std::size_t series) {
  States states({series, chain.f64.state_size()});
  for (std::size_t k = 0; k < series; ++k) chain.f64.start(states.mutable_data(static_cast<py::ssize_t>(k), 0));
  return states;
}

Array<double> report(const CausalChain& chain, const States& states) {
  require_states(chain, states);
  Array<double> table({states.shape(0), py::ssize_t{6}});
  double* p = table.mutable_data();
  for (py::ssize_t k = 0; k < states.shape(0); ++k) {
    const CausalReport r = chain.f64.report(states.data(k, 0));
    for (const double v : {r.noise_sd, r.step_sd, r.gain_db, r.gate, static_cast<double>(r.resets), static_cast<double>(r.seen)})
      *p++ = v;
  }
  return table;
}

// x: series x time, row i goes on in states[rows[i]].
template <class T>
Array<T> push(const CausalChain& chain, const Causal<T>& causal, States& states, const std::vector<std::size_t>& rows,
              const Array<T>& x) {
  require_states(chain, states);
  const auto in = borrow<T>(x, "x");
  if (in.rows != rows.size()) throw std::invalid_argument("rows must be one for each series of x");
  Array<T> y({in.rows, in.length});
  for (const std::size_t row : rows)
    if (row >= static_cast<std::size_t>(states.shape(0))) throw std::invalid_argument("rows must be those of states");
  double* const blocks = states.mutable_data();
  T* const out = y.mutable_data();
  {
    py::gil_scoped_release release;
    for (std::size_t k = 0; k < in.rows; ++k)
      causal.push(blocks + rows[k] * causal.state_size(), in.row(k), in.length, out + k * in.length);
  }
  return y;
}

template <class T>
void define_for(py::class_<CausalChain>& chain, Causal<T> CausalChain::*causal) {
  using namespace py::literals;
  chain.def(
      "run",
      [causal](const CausalChain& self, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts,
               int threads) { return run_batch<WindowedReport>(self.*causal, x, out, starts, threads); },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "starts"_a, "threads"_a);
  chain.def(
      "push",
      [causal](const CausalChain& self, States& states, const std::vector<std::size_t>& rows, const Array<T>& x) {
        return push(self, self.*causal, states, rows, x);
      },
      "states"_a.noconvert(), "rows"_a, "x"_a.noconvert());
}

}  // namespace

void define_causal(py::module_& m) {
  using namespace py::literals;
  auto chain = py::class_<CausalChain>(m, "Causal", py::is_final());
  chain.def(py::init([](const Chain& whole, std::size_t lookahead) { return CausalChain(whole.options, lookahead); }), "chain"_a,
            py::kw_only(), "lookahead"_a);
  chain.def("start", &start, "series"_a);
  chain.def("report", &report, "states"_a.noconvert());
  define_for(chain, &CausalChain::f64);
  define_for(chain, &CausalChain::f32);
}

}  // namespace rpsd::python
