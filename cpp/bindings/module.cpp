// SPDX-License-Identifier: MIT
// The Python module: checks dtype and layout, borrows views, drops the GIL, makes one call. No algorithm.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "rpsd/cpu.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/options.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/quality.hpp"
#include "rpsd/wavelet.hpp"

namespace py = pybind11;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Bank = std::tuple<std::vector<double>, std::vector<double>, std::vector<double>, std::vector<double>>;

rpsd::FilterBank filter_bank(const Bank& bank) {
  return {std::get<0>(bank), std::get<1>(bank), std::get<2>(bank), std::get<3>(bank)};
}

std::string shape_text(const py::array& a) { return py::str(a.attr("shape")); }

// A view of a series x time array; arguments are bound noconvert, so the dtype and the layout are right already.
template <class T>
rpsd::Batch<const T> borrow(const Array<T>& a, const char* name) {
  if (a.ndim() != 2)
    throw std::invalid_argument(std::string(name) + " must be two-dimensional (series x time), got shape " + shape_text(a));
  const auto length = static_cast<std::size_t>(a.shape(1));
  return {a.data(), static_cast<std::size_t>(a.shape(0)), length, length};
}

template <class T>
rpsd::Batch<T> borrow_writable(Array<T>& a, const char* name) {
  const auto view = borrow<T>(a, name);
  return {a.mutable_data(), view.rows, view.length, view.stride};
}

template <class T>
void require_same_shape(const Array<T>& a, const Array<T>& b, const char* name) {
  if (a.ndim() != b.ndim() || a.shape(0) != b.shape(0) || a.shape(1) != b.shape(1))
    throw std::invalid_argument(std::string(name) + " must have the shape of x, " + shape_text(a) + ", got " + shape_text(b));
}

void require_threads(int threads) {
  if (threads < 0) throw std::invalid_argument("threads must be 0 (all) or positive, got " + std::to_string(threads));
}

template <class T>
py::list wavedec(const Array<T>& x, const Bank& bank, const std::string& boundary, int level, int threads) {
  require_threads(threads);
  const auto in = borrow<T>(x, "x");
  if (in.length == 0) throw std::invalid_argument("x must have at least one sample along time, got 0");
  if (level < 0) throw std::invalid_argument("level must be >= 0, got " + std::to_string(level));
  const rpsd::Transform<T> transform(filter_bank(bank), rpsd::parse_boundary(boundary));
  auto lengths = rpsd::level_lengths(transform, in.length, level);
  lengths.push_back(level > 0 ? lengths.back() : in.length);
  py::list coefficients;
  std::vector<rpsd::Batch<T>> views;
  for (auto m = lengths.rbegin(); m != lengths.rend(); ++m) {
    Array<T> a({in.rows, *m});
    views.push_back(borrow_writable<T>(a, "coefficients"));
    coefficients.append(a);
  }
  py::gil_scoped_release release;
  rpsd::wavedec(transform, in, level, views, threads);
  return coefficients;
}

template <class T>
Array<T> waverec(const std::vector<Array<T>>& coeffs, const Bank& bank, const std::string& boundary, int threads) {
  require_threads(threads);
  if (coeffs.empty()) throw std::invalid_argument("coeffs must have at least one array, got none");
  const rpsd::Transform<T> transform(filter_bank(bank), rpsd::parse_boundary(boundary));
  std::vector<rpsd::Batch<const T>> views;
  std::vector<std::size_t> lengths;
  for (const auto& c : coeffs) {
    views.push_back(borrow<T>(c, "coeffs"));
    lengths.push_back(views.back().length);
    if (views.back().rows != views[0].rows)
      throw std::invalid_argument("coeffs must all have " + std::to_string(views[0].rows) + " series, got " +
                                  std::to_string(views.back().rows));
  }
  Array<T> x({views[0].rows, rpsd::waverec_length(transform, lengths)});
  const auto out = borrow_writable<T>(x, "x");
  py::gil_scoped_release release;
  rpsd::waverec(transform, views, out, threads);
  return x;
}

template <class T>
void fir_filter(const Array<T>& x, Array<T>& out, const std::vector<double>& taps, const std::string& mode, int threads) {
  require_threads(threads);
  require_same_shape(x, out, "out");
  const rpsd::Fir<T> filter(taps, rpsd::parse_fir_mode(mode));
  const auto in = borrow<T>(x, "x");
  const auto to = borrow_writable<T>(out, "out");
  py::gil_scoped_release release;
  rpsd::fir_filter(filter, in, to, threads);
}

Array<double> metrics(const Array<double>& x, const Array<double>& y, int threads) {
  static_assert(sizeof(rpsd::Metrics) == 5 * sizeof(double), "Metrics must be five doubles without padding");
  require_threads(threads);
  require_same_shape(x, y, "y");
  const auto u = borrow(x, "x"), v = borrow(y, "y");
  std::vector<rpsd::Metrics> rows(u.rows);
  {
    py::gil_scoped_release release;
    rpsd::measure(u, v, rows.data(), threads);
  }
  Array<double> table({u.rows, std::size_t{5}});
  double* p = table.mutable_data();
  for (const auto& m : rows)
    for (const double value : {m.correlation, m.rmse, m.trend, m.power, m.score}) *p++ = value;
  return table;
}

Array<double> autocorrelation(const Array<double>& x, std::size_t lags, int threads) {
  require_threads(threads);
  const auto u = borrow(x, "x");
  Array<double> r({u.rows, lags});
  double* const out = r.mutable_data();
  py::gil_scoped_release release;
  rpsd::autocorrelation(u, lags, out, threads);
  return r;
}

// One validated chain for both dtypes.
struct Chain {
  rpsd::Denoiser<double> f64;
  rpsd::Denoiser<float> f32;
  explicit Chain(const rpsd::Options& options) : f64(options), f32(options) {}
};

template <class T>
py::tuple run(const rpsd::Denoiser<T>& denoiser, const Array<T>& x, Array<T>& out, int threads) {
  require_threads(threads);
  require_same_shape(x, out, "out");
  const auto in = borrow<T>(x, "x");
  const auto to = borrow_writable<T>(out, "out");
  std::vector<rpsd::SeriesReport> reports(in.rows);
  {
    py::gil_scoped_release release;
    denoiser(in, to, reports.data(), threads);
  }
  const auto n = static_cast<py::ssize_t>(in.rows);
  Array<double> noise_sd(n);
  Array<std::int64_t> level(n), missing(n);
  Array<bool> changed(n);
  for (py::ssize_t i = 0; i < n; ++i) {
    const auto& r = reports[static_cast<std::size_t>(i)];
    noise_sd.mutable_at(i) = r.noise_sd;
    level.mutable_at(i) = r.level;
    missing.mutable_at(i) = static_cast<std::int64_t>(r.missing);
    changed.mutable_at(i) = r.changed;
  }
  return py::make_tuple(noise_sd, level, missing, changed);
}

py::dict build_info() {
  py::dict info;
  info["version"] = RPSD_VERSION;
  info["compiler"] = RPSD_COMPILER;
  info["threads_backend"] = rpsd::thread_backend();
  info["isas"] = rpsd::supported_isas();
  info["isa"] = rpsd::active_kernels().isa;
  info["cpu_count"] = rpsd::processor_count();
  info["pointer_bits"] = static_cast<int>(8 * sizeof(void*));
  return info;
}

template <class T>
void define_for(py::module_& m, py::class_<Chain>& chain, rpsd::Denoiser<T> Chain::*denoiser) {
  using namespace py::literals;
  const auto threads = py::arg("threads");
  m.def("wavedec", &wavedec<T>, "x"_a.noconvert(), py::kw_only(), "bank"_a, "boundary"_a, "level"_a, threads);
  m.def("waverec", &waverec<T>, "coeffs"_a.noconvert(), py::kw_only(), "bank"_a, "boundary"_a, threads);
  m.def("fir_filter", &fir_filter<T>, "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "taps"_a, "mode"_a, threads);
  chain.def(
      "run",
      [denoiser](const Chain& self, const Array<T>& x, Array<T>& out, int n) { return run(self.*denoiser, x, out, n); },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), threads);
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace py::literals;
  m.attr("__version__") = RPSD_VERSION;
  m.def("build_info", &build_info);
  m.def("metrics", &metrics, "x"_a.noconvert(), "y"_a.noconvert(), py::kw_only(), "threads"_a);
  m.def("autocorrelation", &autocorrelation, "x"_a.noconvert(), py::kw_only(), "lags"_a, "threads"_a);
  auto chain = py::class_<Chain>(m, "Denoiser", py::is_final());
  chain.def(py::init([](const Bank& bank, const std::string& boundary, int level, const std::string& threshold_mode,
                        const std::string& threshold_rule, double threshold_scale, const std::string& noise,
                        double noise_sd, const std::vector<double>& fir_taps, const std::string& space,
                        const std::string& missing) {
              rpsd::Options options;
              options.bank = filter_bank(bank);
              options.boundary = rpsd::parse_boundary(boundary);
              options.level = level;
              options.threshold_mode = rpsd::parse_threshold_mode(threshold_mode);
              options.threshold_rule = rpsd::parse_threshold_rule(threshold_rule);
              options.threshold_scale = threshold_scale;
              options.noise = rpsd::parse_noise(noise);
              options.noise_sd = noise_sd;
              options.fir_taps = fir_taps;
              options.space = rpsd::parse_space(space);
              options.missing = rpsd::parse_missing(missing);
              return Chain(options);
            }),
            py::kw_only(), "bank"_a, "boundary"_a, "level"_a, "threshold_mode"_a, "threshold_rule"_a,
            "threshold_scale"_a, "noise"_a, "noise_sd"_a, "fir_taps"_a, "space"_a, "missing"_a);
  define_for<double>(m, chain, &Chain::f64);
  define_for<float>(m, chain, &Chain::f32);
}
