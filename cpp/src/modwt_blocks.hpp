// SPDX-License-Identifier: MIT
// The maximal overlap transform of a long series in blocks that stay in cache through all levels. A block reads
// beyond its ends what the filters reach, so it gives the same bits wherever it begins and whichever thread works on it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "rpsd/cpu.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/stop.hpp"
#include "rpsd/threshold.hpp"

namespace rpsd {

constexpr std::size_t kCacheLine = 64 / sizeof(double);
constexpr std::size_t kLeastModwtBlock = 4096;

inline std::size_t rounded_up(std::size_t n, std::size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Work of one thread: the extended block, two smooths and the details of every level, all with one origin.
template <class T>
struct ModwtBlockScratch {
  Buffer<T> memory;
  T *extended, *smooth[2], *details;
  std::size_t stride;

  void reserve(std::size_t samples, int level) {
    stride = rounded_up(samples, kCacheLine) + kCacheLine;  // not a multiple of a page, or every store would meet a load
    extended = memory.get(stride * static_cast<std::size_t>(level + 3));
    smooth[0] = extended + stride;
    smooth[1] = smooth[0] + stride;
    details = smooth[1] + stride;
  }
  T* detail(int j) const { return details + static_cast<std::size_t>(j - 1) * stride; }
};

template <class T>
class ModwtBlocks {
 public:
  ModwtBlocks(const Modwt<T>& transform, ModwtBoundary boundary, const T* x, std::size_t n, int level,
         std::vector<std::size_t>& offsets)
      : transform_(transform), kernel_(active_table<T>()), boundary_(boundary), x_(x), n_(n), level_(level),
        offsets_(offsets) {
    const std::size_t taps = transform.taps();
    offsets.resize(static_cast<std::size_t>(level) * taps);
    starts_[0] = 0;
    for (int j = 1; j <= level; ++j) {
      const std::size_t stride = std::size_t{1} << (j - 1), k = static_cast<std::size_t>(j);
      for (std::size_t l = 0; l < taps; ++l) offsets[(k - 1) * taps + l] = l * stride;
      starts_[k] = rounded_up(starts_[k - 1] + (taps - 1) * stride, kCacheLine);
    }
    halo_ = starts_[static_cast<std::size_t>(level)];
    size_ = std::max(kLeastModwtBlock, rounded_up(4 * halo_, kCacheLine));
  }

  std::size_t count() const { return (n_ + size_ - 1) / size_; }
  std::size_t size() const { return size_; }
  std::size_t length(std::size_t b) const { return std::min(size_, n_ - b * size_); }

  // Details of levels 1..depth, and the smooth of the last one where it is asked for, `right` samples past the block.
  void analyse(std::size_t b, int depth, bool smooth, std::size_t right, ModwtBlockScratch<T>& scratch) const {
    check_stop();
    const std::size_t begin = b * size_, m = length(b), total = halo_ + m + right;
    scratch.reserve(2 * halo_ + std::min(size_, n_), level_);
    const T* current = extended(begin, total, scratch.extended);
    for (int j = 1; j <= depth; ++j) {
      const std::size_t from = starts_[static_cast<std::size_t>(j)];
      T* v = j == depth && !smooth ? nullptr : scratch.smooth[j % 2];
      kernel_.modwt_analysis(current + from, total - from, transform_.analysis_taps(), offsets(j), transform_.taps(),
                             v ? v + from : nullptr, scratch.detail(j) + from);
      current = v;
    }
  }

  // Shrinks what `analyse` gave for all levels, to the halo's width past the block, and writes the block to y.
  // Level j by shrinkages[j - 1].
  void shrink_and_invert(std::size_t b, const LevelShrinkage* shrinkages, T* y, ModwtBlockScratch<T>& scratch) const {
    check_stop();
    const std::size_t m = length(b);
    for (int j = level_; j >= 1; --j) {
      T* d = scratch.detail(j) + halo_;
      shrink(shrinkages[j - 1], d, m + transform_.reach(j, n_), d);
      T* out = j == 1 ? y + b * size_ : scratch.smooth[(j - 1) % 2] + halo_;
      kernel_.modwt_synthesis(scratch.smooth[j % 2] + halo_, d, m + transform_.reach(j - 1, n_),
                              transform_.synthesis_taps(), offsets(j), transform_.taps(), out);
    }
  }

  std::size_t halo() const { return halo_; }

 private:
  const std::size_t* offsets(int j) const { return offsets_.data() + static_cast<std::size_t>(j - 1) * transform_.taps(); }

  // Samples begin - halo .. begin - halo + total of the series extended to all integers.
  const T* extended(std::size_t begin, std::size_t total, T* memory) const {
    if (begin >= halo_ && begin - halo_ + total <= n_) return x_ + (begin - halo_);
    const std::size_t period = boundary_ == ModwtBoundary::periodic ? n_ : 2 * n_;
    std::size_t t = (begin + period - halo_ % period) % period;
    for (std::size_t i = 0; i < total; ++i) {
      memory[i] = t < n_ ? x_[t] : x_[2 * n_ - 1 - t];
      if (++t == period) t = 0;
    }
    return memory;
  }

  const Modwt<T>& transform_;
  const kernels::Table<T>& kernel_;
  ModwtBoundary boundary_;
  const T* x_;
  std::size_t n_;
  int level_;
  std::vector<std::size_t>& offsets_;
  std::array<std::size_t, kMaxModwtLevel + 1> starts_;
  std::size_t halo_, size_;
};

}  // namespace rpsd
