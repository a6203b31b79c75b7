// SPDX-License-Identifier: MIT
// A noise level that varies slowly along the series: running median absolute deviation of the finest details
// (Gao 1997; von Sachs & MacGibbon 2000).
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/view.hpp"

namespace rpsd {

class LocalNoise {
 public:
  // From the finest details of a series, whose overall noise level is `overall`: MAD over windows of kWindow details
  // every kWindow / 2, no less than a hundredth of the overall level. One window where there are fewer details.
  template <class T>
  void fit(const T* d, std::size_t m, double overall, Buffer<T>& scratch);

  // At a place counted in finest details: a line between the middles of the windows, level beyond the outer ones.
  double at(double place) const noexcept;

  static constexpr std::size_t kWindow = 128;

 private:
  std::vector<double> levels_;
};

}  // namespace rpsd
