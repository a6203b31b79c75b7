// SPDX-License-Identifier: MIT
#include "rpsd/local_noise.hpp"

#include <algorithm>

#include "rpsd/noise_model.hpp"

namespace rpsd {

template <class T>
void LocalNoise::fit(const T* d, std::size_t m, double overall, Buffer<T>& scratch) {
  constexpr std::size_t kStep = kWindow / 2;
  const std::size_t windows = m < kWindow ? 1 : (m - kWindow) / kStep + 1;
  levels_.clear();
  for (std::size_t w = 0; w < windows; ++w) {
    // The last window reaches to the end.
    const std::size_t begin = w * kStep, end = w + 1 == windows ? m : begin + kWindow;
    levels_.push_back(std::max(mad_noise(d + begin, end - begin, scratch), overall / 100));
  }
}

double LocalNoise::at(double place) const noexcept {
  constexpr double kStep = kWindow / 2.0, kFirst = (kWindow - 1) / 2.0;
  const double last = static_cast<double>(levels_.size() - 1);
  const double w = std::clamp((place - kFirst) / kStep, 0.0, last);
  const auto before = static_cast<std::size_t>(w);
  const std::size_t after = std::min(before + 1, levels_.size() - 1);
  const double part = w - static_cast<double>(before);
  return levels_[before] + part * (levels_[after] - levels_[before]);
}

template void LocalNoise::fit<double>(const double*, std::size_t, double, Buffer<double>&);
template void LocalNoise::fit<float>(const float*, std::size_t, double, Buffer<float>&);

}  // namespace rpsd
