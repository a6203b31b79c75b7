// SPDX-License-Identifier: MIT
// The local level model's part of the Python module: for tests of the recursions, series x time.
#include "arrays.hpp"
#include "rpsd/scale_mixture.hpp"
#include "rpsd/state_space.hpp"

namespace rpsd::python {

void define_state_space(py::module_& m);

namespace {

using Rows = Array<double>;

void require_shape(const Rows& a, const Rows& like, const char* name) {
  if (a.ndim() != 2 || a.shape(0) != like.shape(0) || a.shape(1) != like.shape(1))
    throw std::invalid_argument(std::string(name) + " must have the shape of y, got " + shape_text(a));
}

void require_weights(const Rows& a, std::size_t rows, std::size_t scales, const char* name) {
  if (a.ndim() != 2 || static_cast<std::size_t>(a.shape(0)) != rows || static_cast<std::size_t>(a.shape(1)) != scales)
    throw std::invalid_argument(std::string(name) + " must be series x " + std::to_string(scales) + ", got " + shape_text(a));
}

std::vector<LocalLevel> problems_of(const Rows& y, const Rows& seen, const Rows& q, const Rows& r) {
  const auto view = borrow(y, "y");
  if (view.length == 0) throw std::invalid_argument("y must have at least one sample along time, got 0");
  require_shape(seen, y, "seen");
  require_shape(q, y, "q");
  require_shape(r, y, "r");
  std::vector<LocalLevel> problems;
  for (std::size_t i = 0; i < view.rows; ++i) {
    const std::size_t at = i * view.stride;
    problems.push_back({view.row(i), seen.data() + at, q.data() + at, r.data() + at, view.length});
  }
  return problems;
}

py::tuple local_level_smooth(const Rows& y, const Rows& seen, const Rows& q, const Rows& r) {
  const auto problems = problems_of(y, seen, q, r);
  const auto rows = y.shape(0), n = y.shape(1);
  Rows mean({rows, n}), variance({rows, n}), step_square({rows, n}), likelihood(rows);
  std::vector<Smoothed> out;
  for (py::ssize_t i = 0; i < rows; ++i)
    out.push_back({mean.mutable_data(i, 0), variance.mutable_data(i, 0), step_square.mutable_data(i, 0)});
  double* const likelihoods = likelihood.mutable_data();
  {
    const Computing computing;
    smooth(problems.data(), out.data(), problems.size(), likelihoods);
  }
  return py::make_tuple(mean, variance, step_square, likelihood);
}

Rows local_level_mixture(const Rows& y, const Rows& seen, const Rows& q, const Rows& r, const Rows& step_weights,
                         const Rows& noise_weights) {
  const auto problems = problems_of(y, seen, q, r);
  require_weights(step_weights, problems.size(), kStepScales, "step_weights");
  require_weights(noise_weights, problems.size(), kNoiseScales, "noise_weights");
  std::vector<ScaleMixture> mixtures;
  for (std::size_t i = 0; i < problems.size(); ++i)
    mixtures.push_back({problems[i], step_weights.data() + i * kStepScales, noise_weights.data() + i * kNoiseScales});
  Rows likelihood(y.shape(0));
  double* const out = likelihood.mutable_data();
  const Computing computing;
  mixture_log_likelihood(mixtures.data(), mixtures.size(), out);
  return likelihood;
}

Rows local_level_fit(const Rows& y, const Rows& seen, const Rows& step_shape, const Rows& noise_shape) {
  std::vector<LevelData> data;
  for (const auto& p : problems_of(y, seen, step_shape, noise_shape)) data.push_back({p.y, p.seen, p.q, p.r, p.n});
  std::vector<LevelFit> fits(data.size());
  {
    const Computing computing;
    fit_local_level(data.data(), fits.data(), data.size());
  }
  Rows table({y.shape(0), py::ssize_t{4}});
  double* out = table.mutable_data();
  for (const auto& f : fits)
    for (const double v : {f.noise_variance, f.step_variance, f.log_likelihood, f.log_likelihood_no_noise}) *out++ = v;
  return table;
}

template <std::size_t N>
void copy_weights(const Rows& from, double (&to)[N]) {
  require_weights(from, 1, N, "weights");
  std::copy(from.data(), from.data() + N, to);
}

// One series; r comes back matched, with the new variance, the sums of responsibilities and the doubt.
py::tuple noise_sites(const Rows& y, const Rows& seen, const Rows& mean, const Rows& variance, const Rows& r,
                      double least_variance, double noise_variance, const Rows& weights) {
  for (const auto& [a, name] : {std::pair{&seen, "seen"}, {&mean, "mean"}, {&variance, "variance"}, {&r, "r"}})
    require_shape(*a, y, name);
  Rows matched({py::ssize_t{1}, y.shape(1)}), sums(static_cast<py::ssize_t>(kNoiseScales));
  std::copy(r.data(), r.data() + y.shape(1), matched.mutable_data());
  NoiseSites sites = {y.data(), seen.data(), mean.data(), variance.data(), static_cast<std::size_t>(y.shape(1)),
                      least_variance, noise_variance, {}, matched.mutable_data()};
  copy_weights(weights, sites.weights);
  const auto update = update_noise_sites(sites);
  std::copy(update.responsibilities, update.responsibilities + kNoiseScales, sums.mutable_data());
  return py::make_tuple(matched, update.noise_variance, sums, update.doubt);
}

py::tuple step_sites(const Rows& mean, const Rows& step_square, const Rows& shape, const Rows& q, double least_variance,
                     double step_variance, const Rows& weights) {
  for (const auto& [a, name] : {std::pair{&step_square, "step_square"}, {&shape, "shape"}, {&q, "q"}})
    require_shape(*a, mean, name);
  if (mean.shape(1) < 2) throw std::invalid_argument("mean must have at least two samples along time");
  Rows scaled_square({py::ssize_t{1}, mean.shape(1)}), ratio({py::ssize_t{1}, mean.shape(1)});
  Rows sums(static_cast<py::ssize_t>(kStepScales));
  StepSites sites = {mean.data(), step_square.data(), shape.data(), q.data(), static_cast<std::size_t>(mean.shape(1)),
                     least_variance, step_variance, {}, scaled_square.mutable_data(), ratio.mutable_data()};
  copy_weights(weights, sites.weights);
  const auto update = update_step_sites(sites);
  std::copy(update.responsibilities, update.responsibilities + kStepScales, sums.mutable_data());
  return py::make_tuple(scaled_square, ratio, update.step_variance, sums, update.doubt);
}

Rows step_volatility(const Rows& u, double step_variance) {
  if (u.ndim() != 2 || u.shape(0) != 1 || u.shape(1) < 2)
    throw std::invalid_argument("u must be one series of at least two samples, got " + shape_text(u));
  Rows shape({py::ssize_t{1}, u.shape(1)});
  volatility_shape(u.data(), static_cast<std::size_t>(u.shape(1)), step_variance, shape.mutable_data());
  return shape;
}

}  // namespace

void define_state_space(py::module_& m) {
  using namespace py::literals;
  const auto y = py::arg("y").noconvert(), seen = py::arg("seen").noconvert();
  m.def("local_level_smooth", &local_level_smooth, y, seen, "q"_a.noconvert(), "r"_a.noconvert());
  m.def("local_level_mixture", &local_level_mixture, y, seen, "q"_a.noconvert(), "r"_a.noconvert(),
        "step_weights"_a.noconvert(), "noise_weights"_a.noconvert());
  m.def("local_level_fit", &local_level_fit, y, seen, "step_shape"_a.noconvert(), "noise_shape"_a.noconvert());
  m.def("noise_sites", &noise_sites, y, seen, "mean"_a.noconvert(), "variance"_a.noconvert(), "r"_a.noconvert(),
        py::kw_only(), "least_variance"_a, "noise_variance"_a, "weights"_a.noconvert());
  m.def("step_sites", &step_sites, "mean"_a.noconvert(), "step_square"_a.noconvert(), "shape"_a.noconvert(),
        "q"_a.noconvert(), py::kw_only(), "least_variance"_a, "step_variance"_a, "weights"_a.noconvert());
  m.def("step_volatility", &step_volatility, "u"_a.noconvert(), py::kw_only(), "step_variance"_a);
}

}  // namespace rpsd::python
