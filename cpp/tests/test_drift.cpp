// SPDX-License-Identifier: MIT
// The drift monitor: alarms of plain changes, snapshots, and the bits of its state, the same on every system.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "golden_data.hpp"
#include "rpsd/drift.hpp"

namespace {

constexpr std::size_t kLength = 8000, kChange = 4000;
constexpr double kNaN = NAN;

unsigned bit(rpsd::Drift drift) { return 1u << static_cast<unsigned>(drift); }

// A walk whose steps have this scale from kChange on.
std::vector<double> walk(double scale) {
  auto x = noise(kLength, 31);
  for (std::size_t t = 1; t < kLength; ++t) x[t] = x[t - 1] + (t < kChange ? 1 : scale) * x[t];
  return x;
}

// The alarms that stood at any time from `begin` on.
unsigned alarms(const rpsd::DriftMonitor& monitor, std::vector<double>& state, const std::vector<double>& x, std::size_t begin,
                std::size_t end) {
  unsigned found = 0;
  for (std::size_t t = begin; t < end; ++t) {
    monitor.push(state.data(), x[t], x[t], 0.5 * x[t]);
    found |= monitor.standing(state.data());
  }
  return found;
}

void check_change(const std::vector<double>& x, unsigned expected) {
  const rpsd::DriftMonitor monitor({});
  std::vector<double> state(rpsd::DriftMonitor::state_size());
  monitor.start(state.data());
  CHECK(alarms(monitor, state, x, 0, kChange) == 0);
  CHECK(alarms(monitor, state, x, kChange, kLength) == expected);
  monitor.acknowledge(state.data());
  CHECK(monitor.standing(state.data()) == 0);
}

// A copy taken anywhere goes on with the same bits, and those are the same on every system.
void check_bits() {
  const rpsd::DriftMonitor monitor({});
  auto x = walk(3);
  for (std::size_t t = 5; t < kLength; t += 37) x[t] = kNaN;
  std::vector<double> whole(rpsd::DriftMonitor::state_size());
  monitor.start(whole.data());
  std::vector<double> copy = whole;
  Hash hash;
  for (std::size_t t = 0; t < kLength; ++t) {
    monitor.push(whole.data(), x[t], x[t], 0.5 * x[t]);
    copy = std::vector<double>(copy);
    monitor.push(copy.data(), x[t], x[t], 0.5 * x[t]);
    if (t % 100 != 99) continue;
    for (const double v : whole) hash.add_number(std::isnan(v) ? 0.0 : v);
  }
  CHECK(std::memcmp(whole.data(), copy.data(), whole.size() * sizeof(double)) == 0);
  constexpr std::uint64_t golden = 0xB5E82BB16D2274D8ull;
  if (hash.value() != golden) std::fprintf(stderr, "hash 0x%016llX\n", static_cast<unsigned long long>(hash.value()));
  CHECK(hash.value() == golden);
}

// A state of other bytes: what would become an integer that cannot be is no state.
void check_states() {
  const rpsd::DriftMonitor monitor({});
  std::vector<double> state(rpsd::DriftMonitor::state_size());
  monitor.start(state.data());
  CHECK(monitor.is_state(state.data()));
  std::size_t refused = 0;
  for (double& word : state) {
    const double was = word;
    for (const double wrong : {-1e188, 1e300, kNaN}) {
      word = wrong;
      if (monitor.is_state(state.data())) monitor.report(state.data());
      else ++refused;
    }
    word = was;
  }
  CHECK(refused >= 3 * (2 * 2 + 1));  // at least an alarm and a count of two rates, and the choice
}

}  // namespace

int main() {
  check_states();
  check_change(walk(1), 0);
  check_change(walk(2), bit(rpsd::Drift::scale));
  auto stale = walk(1);
  std::fill(stale.begin() + kChange, stale.end(), stale[kChange - 1]);
  check_change(stale, bit(rpsd::Drift::stale));
  auto missing = walk(1);
  for (std::size_t t = kChange; t < kLength; t += 4) missing[t] = kNaN;
  check_change(missing, bit(rpsd::Drift::missing));
  check_bits();
  return failed();
}
