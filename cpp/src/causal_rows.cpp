// SPDX-License-Identifier: MIT
// Many series of one causal model: those that stand alike share the vectors of the processor.
#include <algorithm>
#include <cmath>
#include <limits>

#include "rpsd/causal_price.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

using kernels::CausalState;
using kernels::kBundle;

// Samples at a time: a tile's states are turned to lanes and back once for each piece, which costs as much as a sample.
constexpr std::size_t kPiece = 128, kLeastPiece = 4;

// Rows of one key may share a tile.
struct Place {
  std::size_t key, row;
  bool operator<(const Place& other) const noexcept { return key != other.key ? key < other.key : row < other.row; }
};

constexpr std::size_t kAlone = std::numeric_limits<std::size_t>::max();

struct RowsMemory {
  Buffer<double> scratch;
  Buffer<Place> places;
};

std::size_t key_of(const CausalState& s, const double* x, std::size_t n) noexcept {
  if (s.running == 0 || s.time < kernels::kEarly) return kAlone;
  if (std::any_of(x, x + n, [](double v) { return std::isnan(v); })) return kAlone;
  return static_cast<std::size_t>(s.slot) * kernels::kPhases + static_cast<std::size_t>(s.time) % kernels::kPhases;
}

}  // namespace

void CausalModel::push_rows(double* const* states, const double* const* x, std::size_t rows, std::size_t n,
                            double* const* y) const {
  const auto& kernel = active_kernels().causal;
  const std::size_t width = kernel.tile_rows;
  auto& memory = of_this_thread<RowsMemory>();
  double* const scratch = memory.scratch.get((state_size() + 1) * width);
  Place* const places = memory.places.get(rows);
  for (std::size_t done = 0; done < n; done += kPiece) {
    check_stop();
    const std::size_t m = std::min(kPiece, n - done);
    for (std::size_t r = 0; r < rows; ++r) {
      const bool may_share = automatic_ && m >= kLeastPiece && rows >= width;
      places[r] = {may_share ? key_of(*reinterpret_cast<const CausalState*>(states[r]), x[r] + done, m) : kAlone, r};
    }
    std::sort(places, places + rows);
    for (std::size_t i = 0; i < rows;) {
      const bool full = i + width <= rows && places[i].key != kAlone && places[i].key == places[i + width - 1].key;
      const std::size_t count = full ? width : 1;
      std::size_t pushed = 0;
      if (full) {
        double *tile[kBundle], *out[kBundle];
        const double* in[kBundle];
        for (std::size_t l = 0; l < width; ++l) {
          const std::size_t row = places[i + l].row;
          tile[l] = states[row];
          in[l] = x[row] + done;
          out[l] = y[row] + done;
        }
        pushed = kernel.automatic_tile(settings_, tile, state_size(), lookahead_, in, m, out, scratch);
      }
      for (std::size_t l = 0; l < count && pushed < m; ++l) {
        const std::size_t row = places[i + l].row, at = done + pushed;
        push(states[row], x[row] + at, m - pushed, y[row] + at);
      }
      i += count;
    }
  }
}

}  // namespace rpsd
