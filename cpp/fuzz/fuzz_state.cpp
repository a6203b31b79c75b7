// SPDX-License-Identifier: MIT
// Bytes as the state of a stream: refused by std::invalid_argument, or a stream that goes on and saves what it loads.
#include <cstring>
#include <stdexcept>

#include "bytes.hpp"
#include "options.hpp"
#include "rpsd/stream.hpp"

namespace {

constexpr std::size_t kSeries = 2;

void go_on(rpsd::Stream& stream) {
  const std::vector<double> x = {100, 101, std::numeric_limits<double>::quiet_NaN(), 100.5};
  std::vector<double> y(x.size()), last(kSeries * (stream.lookahead() + 1));
  try {
    stream.push(nullptr, {x.data(), kSeries, 2, 2}, {y.data(), kSeries, 2, 2});
    stream.amend(nullptr, {x.data(), kSeries, 1, 1}, {y.data(), kSeries, 1, 1});
  } catch (const std::invalid_argument&) {  // NaN where missing is raise
  }
  const std::size_t lag = stream.lookahead();
  stream.flush({last.data(), kSeries, lag, lag});
  for (std::size_t row = 0; row < kSeries; ++row) stream.report(row);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const bool given = bytes.below(2) == 1;
  rpsd::Options options = chosen_options(bytes);
  const std::size_t window = 16 + bytes.below(48);
  const rpsd::WindowOptions windows{window, bytes.below(5), window};
  try {
    rpsd::Stream stream(options, windows, kSeries);
    std::vector<std::uint8_t> state(bytes.rest(), bytes.rest() + bytes.left());
    if (!given) {  // one that was saved, with some bytes changed
      const auto x = bytes.numbers(80);
      std::vector<double> y(x.size() + 2);
      stream.push(nullptr, {x.data(), kSeries, x.size() / 2, x.size() / 2}, {y.data(), kSeries, x.size() / 2, x.size() / 2});
      state = stream.save();
      for (std::size_t changes = bytes.below(6); changes > 0 && !state.empty(); --changes) {
        const std::size_t at = (bytes.below(256) * 256 + bytes.below(256)) % state.size();
        state[at] = bytes.byte();
      }
      if (bytes.below(8) == 1) state.resize(state.size() / 2);
    }
    rpsd::Stream other(options, windows, kSeries);
    other.load(state.data(), state.size());
    const auto saved = other.save();
    rpsd::Stream third(options, windows, kSeries);
    third.load(saved.data(), saved.size());
    REQUIRE(third.save() == saved);
    go_on(other);
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
