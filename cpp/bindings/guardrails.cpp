// SPDX-License-Identifier: MIT
// The honest guardrails.
#include "rpsd/guardrails.hpp"

#include "arrays.hpp"

namespace rpsd::python {

void define_guardrails(py::module_& m);

namespace {

using Doubles = Array<double>;

Doubles judge(const Doubles& x, const Doubles& y, const Doubles& best, const Doubles& like, const Doubles& models, int threads) {
  static_assert(sizeof(GuardMetrics) == 11 * sizeof(double), "GuardMetrics must be eleven doubles without padding");
  require_threads(threads);
  require_same_shape(x, y, "y");
  require_same_shape(x, best, "best");
  require_same_shape(x, like, "like");
  const auto in = borrow(x, "x"), out = borrow(y, "y"), ideal = borrow(best, "best"), alike = borrow(like, "like");
  const auto known = borrow(models, "models");
  if (known.rows != in.rows || known.length != 5)
    throw std::invalid_argument("models must have a row of five for each series, got shape " + shape_text(models));
  std::vector<GuardModel> fitted;
  for (std::size_t r = 0; r < known.rows; ++r) {
    const double* const row = known.row(r);
    fitted.push_back({row[0], row[1], row[2], row[3], row[4] != 0});
  }
  std::vector<GuardMetrics> found(in.rows);
  {
    const Computing computing;
    rpsd::judge(in, out, ideal, alike, fitted.data(), found.data(), threads);
  }
  Doubles table({in.rows, std::size_t{11}});
  double* p = table.mutable_data();
  for (const GuardMetrics& m : found)
    for (const double v : {m.gain_db, m.edge_db, m.bias, m.variance, m.roughness, m.lag, m.scale, m.overshoot, m.stuck, m.jumps, m.whiteness}) *p++ = v;
  return table;
}

}  // namespace

void define_guardrails(py::module_& m) {
  using namespace py::literals;
  m.def("judge", &judge, "x"_a.noconvert(), "y"_a.noconvert(), "best"_a.noconvert(), "like"_a.noconvert(),
        "models"_a.noconvert(), py::kw_only(), "threads"_a);
}

}  // namespace rpsd::python
