// SPDX-License-Identifier: MIT
// The Python module: checks dtype and layout, borrows views, drops the GIL, makes one call. No algorithm.
#include "arrays.hpp"
#include "chain.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/options.hpp"
#include "rpsd/parallel.hpp"
#include "rpsd/quality.hpp"

namespace rpsd::python {

void define_causal(py::module_& m);
void define_causal_price(py::module_& m);
void define_drift(py::module_& m);
void define_guardrails(py::module_& m);
void define_lattice(py::module_& m);
void define_modwt(py::module_& m);
void define_state_space(py::module_& m);
void define_stop(py::module_& m);
void define_stream(py::module_& m);
void define_wavelet(py::module_& m);
void define_windowed(py::module_& m);
const char* git_commit();

namespace {

template <class T>
void fir_filter(const Array<T>& x, Array<T>& out, const Array<double>& taps, const std::string& mode, int threads) {
  require_threads(threads);
  require_same_shape(x, out, "out");
  const Fir<T> filter({taps.data(), taps.data() + taps.size()}, parse_fir_mode(mode));
  const auto in = borrow<T>(x, "x");
  const auto to = borrow_writable<T>(out, "out");
  const Computing computing;
  fir_filter(filter, in, to, threads);
}

Array<double> metrics(const Array<double>& x, const Array<double>& y, int threads) {
  static_assert(sizeof(Metrics) == 5 * sizeof(double), "Metrics must be five doubles without padding");
  require_threads(threads);
  require_same_shape(x, y, "y");
  const auto u = borrow(x, "x"), v = borrow(y, "y");
  std::vector<Metrics> rows(u.rows);
  {
    const Computing computing;
    measure(u, v, rows.data(), threads);
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
  const Computing computing;
  rpsd::autocorrelation(u, lags, out, threads);
  return r;
}

template <class T>
Array<double> median_abs(const Array<T>& x) {
  const auto in = borrow<T>(x, "x");
  if (in.length == 0) throw std::invalid_argument("x must have at least one sample along time, got 0");
  Array<double> medians(static_cast<py::ssize_t>(in.rows));
  double* const out = medians.mutable_data();
  const Computing computing;
  Buffer<T> scratch;
  for (std::size_t r = 0; r < in.rows; ++r)
    out[r] = active_table<T>().median_abs(in.row(r), in.length, scratch.get(in.length));
  return medians;
}

bool is_int_within(py::handle value, long least, long most) {
  if (!PyLong_CheckExact(value.ptr())) return false;
  int overflow = 0;
  const long v = PyLong_AsLongAndOverflow(value.ptr(), &overflow);
  return overflow == 0 && v >= least && v <= most;
}

template <class T>
py::object denoised_series(const Denoiser<T>& denoiser, const Array<T>& x) {
  const auto n = static_cast<std::size_t>(x.shape(0));
  // What Array<T>(n) does, without its allocated lists of shape and strides: 0.08 us.
  const auto& api = py::detail::npy_api::get();
  const Py_intptr_t shape = x.shape(0);
  auto y = py::reinterpret_steal<Array<T>>(api.PyArray_NewFromDescr_(
      api.PyArray_Type_, py::dtype::of<T>().release().ptr(), 1, &shape, nullptr, nullptr, 0, nullptr));
  if (!y) throw py::error_already_set();
  const Batch<const T> in{x.data(), 1, n, n};
  const Batch<T> out{y.mutable_data(), 1, n, n};
  SeriesReport report;
  {
    const Computing computing;
    denoiser(in, out, &report, 1);
  }
  return y;
}

// The call that is made most, free of what others need: of 64 samples it takes 0.7 us more than the core, where the
// general way through Mirror and run takes 6 (November 2026, Zen 3, bench/bench_overhead.py).
py::object denoise_series(const Chain& chain, py::handle x, py::ssize_t least, py::handle axis, py::handle threads) {
  const bool is_f64 = is_plain_series<double>(x);
  if (!is_f64 && !is_plain_series<float>(x)) return py::none();
  if (py::reinterpret_borrow<py::array>(x).shape(0) < least) return py::none();
  if (!is_int_within(axis, -1, 0) || !is_int_within(threads, 1, 1)) return py::none();
  if (is_f64) return denoised_series(chain.f64, py::reinterpret_borrow<Array<double>>(x));
  return denoised_series(chain.f32, py::reinterpret_borrow<Array<float>>(x));
}

py::dict build_info() {
  py::dict info;
  info["version"] = RPSD_VERSION;
  info["git"] = git_commit();
  info["compiler"] = RPSD_COMPILER;
  info["threads_backend"] = thread_backend();
  info["isas"] = supported_isas();
  info["isa"] = active_kernels().isa;
  info["cpu_count"] = processor_count();
  info["pointer_bits"] = static_cast<int>(8 * sizeof(void*));
  return info;
}

template <class T>
void define_for(py::module_& m, py::class_<Chain>& chain, Denoiser<T> Chain::*denoiser) {
  using namespace py::literals;
  const auto threads = py::arg("threads");
  m.def("median_abs", &median_abs<T>, "x"_a.noconvert());
  m.def("fir_filter", &fir_filter<T>, "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "taps"_a.noconvert(), "mode"_a, threads);
  chain.def(
      "run",
      [denoiser](const Chain& self, const Array<T>& x, Array<T>& out, const std::vector<std::size_t>& starts, int n) {
        return run_batch<SeriesReport>(self.*denoiser, x, out, starts, n);
      },
      "x"_a.noconvert(), "out"_a.noconvert(), py::kw_only(), "starts"_a, threads);
}

}  // namespace

void define_module(py::module_& m) {
  using namespace py::literals;
  m.attr("__version__") = RPSD_VERSION;
  m.def("build_info", &build_info);
  m.def("metrics", &metrics, "x"_a.noconvert(), "y"_a.noconvert(), py::kw_only(), "threads"_a);
  m.def("autocorrelation", &autocorrelation, "x"_a.noconvert(), py::kw_only(), "lags"_a, "threads"_a);
  auto chain = py::class_<Chain>(m, "Denoiser", py::is_final());
  chain.def(py::init([](const std::string& method, const Bank& bank, const std::string& transform, const std::string& boundary, int level,
                        const std::string& threshold_mode,
                        const std::string& threshold_rule, double threshold_scale, const std::string& prior,
                        const std::string& noise,
                        double noise_sd, const std::vector<double>& fir_taps, double min_gain_db,
                        const std::string& space, const std::string& missing, const std::string& outliers) {
              Options options;
              options.method = parse_method(method);
              options.min_gain_db = min_gain_db;
              options.bank = filter_bank(bank);
              options.transform = parse_transform(transform);
              options.boundary = parse_boundary(boundary);
              options.level = level;
              options.threshold_mode = parse_threshold_mode(threshold_mode);
              options.threshold_rule = parse_threshold_rule(threshold_rule);
              options.threshold_scale = threshold_scale;
              options.prior = parse_prior(prior);
              options.noise = parse_noise(noise);
              options.noise_sd = noise_sd;
              options.fir_taps = fir_taps;
              options.space = parse_space(space);
              options.missing = parse_missing(missing);
              options.outliers = parse_outliers(outliers);
              return Chain(options);
            }),
            py::kw_only(), "method"_a, "bank"_a, "transform"_a, "boundary"_a, "level"_a, "threshold_mode"_a, "threshold_rule"_a,
            "threshold_scale"_a, "prior"_a, "noise"_a, "noise_sd"_a, "fir_taps"_a, "min_gain_db"_a,
            "space"_a, "missing"_a, "outliers"_a);
  chain.def("denoise_series", &denoise_series, "x"_a, "least"_a, "axis"_a, "threads"_a, py::pos_only());
  define_wavelet(m);
  define_windowed(m);
  define_modwt(m);
  define_drift(m);
  define_guardrails(m);
  define_lattice(m);
  define_causal(m);
  define_causal_price(m);
  define_state_space(m);
  define_stop(m);
  define_stream(m);
  define_for<double>(m, chain, &Chain::f64);
  define_for<float>(m, chain, &Chain::f32);
}

constexpr const char* kNoSubinterpreter =
    "rpsd works in the main interpreter only, not in sub-interpreters (under mod_wsgi: WSGIApplicationGroup %{GLOBAL})";

bool in_subinterpreter() { return PyInterpreterState_Get() != PyInterpreterState_Main(); }

}  // namespace rpsd::python

PYBIND11_MODULE(core_of_main, m, pybind11::mod_gil_not_used()) {
  if (rpsd::python::in_subinterpreter()) throw pybind11::import_error(rpsd::python::kNoSubinterpreter);
  rpsd::python::define_module(m);
}

// What Python calls first. Until 3.11 pybind11 would wait for ever for the GIL in a sub-interpreter, before the module
// above could tell; from 3.13 on Python makes this call in the main interpreter.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (!rpsd::python::in_subinterpreter()) return PyInit_core_of_main();
  PyErr_SetString(PyExc_ImportError, rpsd::python::kNoSubinterpreter);
  return nullptr;
}
