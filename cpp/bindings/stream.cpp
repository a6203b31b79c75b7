// SPDX-License-Identifier: MIT
// Series that are still coming.
#include "rpsd/stream.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "chain.hpp"

namespace rpsd::python {

void define_stream(py::module_& m);

namespace {

using Values = Array<double>;
using Indices = std::optional<Array<std::uint64_t>>;

// Callers wait for one another, with the GIL or without it.
struct SharedStream {
  Stream stream;
  mutable std::mutex mutex;
  SharedStream(const Options& options, const WindowOptions& windows, std::size_t series, OnBreach on_breach)
      : stream(options, windows, series, on_breach) {}
};

using Move = void (Stream::*)(const std::uint64_t*, Batch<const double>, Batch<double>, int);

const std::uint64_t* checked_rows(const SharedStream& shared, const Indices& rows, std::size_t count) {
  if (rows ? rows->ndim() != 1 || static_cast<std::size_t>(rows->shape(0)) != count : count != shared.stream.series())
    throw std::invalid_argument("rows must be one for each series of x");
  return rows ? rows->data() : nullptr;
}

Values move(SharedStream& shared, Move how, const Indices& rows, const Values& x, int threads) {
  require_threads(threads);
  const auto in = borrow<double>(x, "x");
  const std::uint64_t* const named = checked_rows(shared, rows, in.rows);
  Values y({in.rows, in.length});
  const auto out = borrow_writable<double>(y, "y");
  const Computing computing;
  const std::lock_guard lock(shared.mutex);
  (shared.stream.*how)(named, in, out, threads);
  return y;
}

// Of a bank of one: the GIL stays, as the work is short.
double move_one(SharedStream& shared, Move how, double x) {
  if (shared.stream.series() != 1) throw std::invalid_argument("x must be one number for each series");
  double y;
  const DefaultFloatMode mode;
  const std::lock_guard lock(shared.mutex);
  (shared.stream.*how)(nullptr, {&x, 1, 1, 1}, {&y, 1, 1, 1}, 1);
  return y;
}

Values flush(const SharedStream& shared) {
  Values y({shared.stream.series(), shared.stream.lookahead()});
  const auto out = borrow_writable<double>(y, "y");
  const Computing computing;
  const std::lock_guard lock(shared.mutex);
  shared.stream.flush(out);
  return y;
}

using Act = void (Stream::*)(const std::uint64_t*, std::size_t);

void act(SharedStream& shared, Act how, const Indices& rows) {
  const std::size_t count = rows ? static_cast<std::size_t>(rows->size()) : shared.stream.series();
  const std::uint64_t* const named = checked_rows(shared, rows, count);
  const std::lock_guard lock(shared.mutex);
  (shared.stream.*how)(named, count);
}

Values report(const SharedStream& shared) {
  Values table({shared.stream.series(), std::size_t{10}});
  double* p = table.mutable_data();
  const std::lock_guard lock(shared.mutex);
  for (std::size_t row = 0; row < shared.stream.series(); ++row) {
    const StreamReport r = shared.stream.report(row);
    for (const double v : {static_cast<double>(r.samples), static_cast<double>(r.missing), r.noise_sd, r.step_sd, r.gate,
                           static_cast<double>(r.resets), r.noise_ratio, r.missing_rate, r.lag, static_cast<double>(r.alarms)})
      *p++ = v;
  }
  return table;
}

py::bytes save(const SharedStream& shared) {
  const std::lock_guard lock(shared.mutex);
  const std::vector<std::uint8_t> bytes = shared.stream.save();
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void load(SharedStream& shared, const py::bytes& bytes) {
  const std::string_view view = bytes;
  const std::lock_guard lock(shared.mutex);
  shared.stream.load(reinterpret_cast<const std::uint8_t*>(view.data()), view.size());
}

}  // namespace

void define_stream(py::module_& m) {
  using namespace py::literals;
  const auto moves = [](Move how) {
    return [how](SharedStream& self, const Indices& rows, const Values& x, int threads) { return move(self, how, rows, x, threads); };
  };
  const auto moves_one = [](Move how) { return [how](SharedStream& self, double x) { return move_one(self, how, x); }; };
  const auto acts = [](Act how) { return [how](SharedStream& self, const Indices& rows) { act(self, how, rows); }; };
  py::class_<SharedStream>(m, "Stream", py::is_final())
      .def(py::init([](const Chain& chain, std::size_t window, std::size_t lookahead, std::size_t min_periods,
                       std::size_t series, const std::string& on_breach) {
             return std::make_unique<SharedStream>(chain.options, WindowOptions{window, lookahead, min_periods}, series,
                                                   parse_on_breach(on_breach));
           }),
           "chain"_a, py::kw_only(), "window"_a, "lookahead"_a, "min_periods"_a, "series"_a,
           "on_breach"_a)
      .def("push", moves(&Stream::push), "rows"_a.noconvert(), "x"_a.noconvert(), py::kw_only(), "threads"_a)
      .def("push_one", moves_one(&Stream::push), "x"_a, py::pos_only())
      .def("amend", moves(&Stream::amend), "rows"_a.noconvert(), "x"_a.noconvert(), py::kw_only(), "threads"_a)
      .def("amend_one", moves_one(&Stream::amend), "x"_a, py::pos_only())
      .def("begin_session", acts(&Stream::begin_session), "rows"_a.noconvert())
      .def("acknowledge", acts(&Stream::acknowledge), "rows"_a.noconvert())
      .def("flush", &flush)
      .def("report", &report)
      .def("save", &save)
      .def("load", &load, "state"_a);
}

}  // namespace rpsd::python
