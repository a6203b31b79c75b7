// SPDX-License-Identifier: MIT
// The causal kernels give the same bits under every instruction set, alone and in tiles of any number of lanes.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "check.hpp"
#include "rpsd/causal_price.hpp"
#include "tables_here.hpp"

namespace {

using rpsd::kernels::CausalState;
using rpsd::kernels::kBundle;
using rpsd::kernels::Kernels;

constexpr std::size_t kSamples = 600, kAlone = 130;
constexpr std::size_t kHead = sizeof(CausalState) / sizeof(double);
constexpr rpsd::kernels::CausalSettings kSettings = {0.1353352832366127, 0.06, 10};

// Walks under noise that jump, and whose noise changes where a tile has begun.
std::vector<double> prices(std::size_t row) {
  std::mt19937_64 generator(7 + row);
  std::normal_distribution<double> normal;
  std::vector<double> x;
  double level = 100;
  for (std::size_t t = 0; t < kSamples; ++t) {
    level += normal(generator) * (generator() % 97 == 0 ? 15 : 1);
    x.push_back(level + (t < 300 ? 3.0 : 0.3 * static_cast<double>(row)) * normal(generator));
  }
  return x;
}

struct Run {
  std::vector<double> state, y;
};

void push(const Kernels& table, std::size_t lookahead, Run& run, const double* x, std::size_t begin, std::size_t n) {
  const std::size_t values = (lookahead * rpsd::kernels::kChains + kBundle - 1) / kBundle * kBundle;
  double* const lags = run.state.data() + kHead;
  table.causal.automatic(kSettings, *reinterpret_cast<CausalState*>(run.state.data()),
                         {lookahead, lags, lags + lookahead, lags + lookahead + values}, x + begin, n, run.y.data() + begin);
}

Run started(const rpsd::CausalModel& model) {
  Run run{std::vector<double>(model.state_size()), std::vector<double>(kSamples)};
  model.start(run.state.data());
  return run;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

void compare(std::size_t lookahead) {
  const rpsd::CausalModel model({rpsd::PriceMethod::automatic, lookahead, false, 0.1});
  std::vector<std::vector<double>> x;
  std::vector<Run> expected;
  for (std::size_t row = 0; row < kBundle; ++row) {
    x.push_back(prices(row));
    expected.push_back(started(model));
    push(*tables_here()[0], lookahead, expected.back(), x[row].data(), 0, kSamples);
  }
  for (const Kernels* table : tables_here()) {
    const std::size_t width = table->causal.tile_rows;
    std::vector<Run> alone, tiled;
    for (std::size_t row = 0; row < kBundle; ++row) {
      alone.push_back(started(model));
      push(*table, lookahead, alone.back(), x[row].data(), 0, kSamples);
      CHECK(same(alone[row].y, expected[row].y) && same(alone[row].state, expected[row].state));
      tiled.push_back(started(model));
      push(*table, lookahead, tiled.back(), x[row].data(), 0, kAlone);
    }
    std::vector<double> scratch((model.state_size() + 1) * width);
    for (std::size_t first = 0; first + width <= kBundle; first += width) {
      std::vector<double*> states, y;
      std::vector<const double*> from;
      for (std::size_t row = first; row < first + width; ++row) {
        states.push_back(tiled[row].state.data());
        from.push_back(x[row].data() + kAlone);
        y.push_back(tiled[row].y.data() + kAlone);
      }
      const std::size_t done = kAlone + table->causal.automatic_tile(kSettings, states.data(), model.state_size(), lookahead, from.data(),
                                                                     kSamples - kAlone, y.data(), scratch.data());
      CHECK(done > 300);
      for (std::size_t row = first; row < first + width; ++row) {
        push(*table, lookahead, tiled[row], x[row].data(), done, kSamples - done);
        CHECK(same(tiled[row].y, expected[row].y) && same(tiled[row].state, expected[row].state));
      }
    }
  }
}

}  // namespace

int main() {
  for (const std::size_t lookahead : {0, 3}) compare(lookahead);
  return failed();
}
