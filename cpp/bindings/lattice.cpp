// SPDX-License-Identifier: MIT
// The tick lattice's part of the Python module: private, for tests; the default method calls the core.
#include <cmath>

#include "arrays.hpp"
#include "rpsd/lattice.hpp"

namespace rpsd::python {

void define_lattice(py::module_& m);

namespace {

void require(bool holds, const char* otherwise) {
  if (!holds) throw std::invalid_argument(otherwise);
}

std::size_t common_length(const Array<double>& y, const Array<double>& seen) {
  require(y.ndim() == 1 && seen.ndim() == 1 && y.shape(0) == seen.shape(0), "y and seen must be of one length");
  return static_cast<std::size_t>(y.shape(0));
}

double tick_size(const Array<double>& y, const Array<double>& seen, double precision) {
  return rpsd::tick_size(y.data(), seen.data(), common_length(y, seen), precision);
}

py::tuple smooth_lattice(const Array<double>& y, const Array<double>& seen, double tick, double noise_variance,
                         double step_variance, const Array<double>& step_scale) {
  const std::size_t n = common_length(y, seen);
  std::size_t samples = 0;
  for (std::size_t t = 0; t < n; ++t) samples += seen.data()[t] != 0;
  require(samples > 0, "seen must have a sample that is not 0");
  require(tick > 0 && noise_variance >= 0 && noise_variance <= 64 * tick * tick && step_variance > 0 &&
              step_variance <= 64 * tick * tick,
          "tick and step_variance must be above 0, variances at most 64 tick^2");
  require(step_scale.size() == 0 || step_scale.size() == y.size(), "step_scale must be empty or as long as y");
  Array<double> mean(y.shape(0)), variance(y.shape(0));
  double* const means = mean.mutable_data();
  double* const variances = variance.mutable_data();
  LatticeFit fit;
  {
    const Computing computing;
    fit = rpsd::smooth_lattice(y.data(), seen.data(), n, tick, noise_variance, step_variance, means, variances,
                               step_scale.size() == 0 ? nullptr : step_scale.data());
  }
  py::dict report;
  report["noise_variance"] = fit.noise_variance;
  report["step_variance"] = fit.step_variance;
  report["bad_tick_share"] = fit.bad_tick_share;
  report["jump_share"] = fit.jump_share;
  report["log_likelihood_gain"] = fit.log_likelihood_gain;
  report["iterations"] = fit.iterations;
  report["converged"] = fit.converged;
  return py::make_tuple(mean, variance, report);
}

}  // namespace

void define_lattice(py::module_& m) {
  using namespace py::literals;
  m.def("tick_size", &tick_size, "y"_a.noconvert(), "seen"_a.noconvert(), py::kw_only(), "precision"_a);
  m.def("smooth_lattice", &smooth_lattice, "y"_a.noconvert(), "seen"_a.noconvert(), py::kw_only(), "tick"_a,
        "noise_variance"_a, "step_variance"_a, "step_scale"_a.noconvert());
}

}  // namespace rpsd::python
