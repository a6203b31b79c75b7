// SPDX-License-Identifier: MIT
// Power of two series in the lowest tenth of their spectra, at the cost of transforming that tenth
// (docs/decisions/0006-band-power.md).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "rpsd/fft.hpp"
#include "rpsd/view.hpp"

namespace rpsd {

// A symmetric low pass to keep one sample in `step`. What would be folded onto 0 .. 0.05 cycles a sample is 1e15 times
// weaker than what belongs there; the droop over that band is known and taken out of the power.
struct LowPass {
  std::size_t step;
  std::size_t degree;        // 2 degree + 1 taps, padded with zeros to a multiple of eight
  double middle, half_width; // of the stop band, on the axis cos(2 pi f)
  std::vector<double> taps;

  std::size_t reach() const noexcept { return 2 * degree; }
  std::size_t outputs(std::size_t n) const noexcept { return (n - 1 + reach()) / step + 1; }
  double gain(double cosine) const noexcept;
};

struct BandPower {
  double x, y;
};

// The DFT bins 1 .. n / 20 (0 < f <= 0.1 Nyquist) of series of n samples; made ready for one n at a time.
class LowBand {
 public:
  void prepare(std::size_t n);

  const LowPass& filter() const noexcept { return *filter_; }
  std::size_t outputs() const noexcept { return outputs_; }

  // Sums of |X_k|^2 and |Y_k|^2 over the bins, from the decimated series, outputs() samples each.
  BandPower power(const double* x, const double* y);

 private:
  void make_chirp();
  double* re() { return work_.get(2 * size_ + kGap); }
  double* im() { return re() + size_ + kGap; }

  static constexpr std::size_t kGap = 264;  // keeps two arrays out of each other's cache sets
  std::size_t n_ = 0, bins_ = 0, outputs_ = 0, size_ = 0;
  const LowPass* filter_ = nullptr;
  std::unique_ptr<ConvolutionFft<double>> fft_;
  std::vector<double> chirp_re_, chirp_im_, weights_;
  Buffer<double> spectrum_, work_;
};

// Filters a series that comes in chunks.
class Decimator {
 public:
  static constexpr std::size_t kChunk = 1024;

  // out holds filter.outputs(n) samples.
  void begin(const LowPass& filter, std::size_t n, double* out);

  // Where to write the next samples, at most kChunk.
  double* room() noexcept { return buffer_.data() + held_; }

  void take(std::size_t samples) noexcept;

  // After the last chunk.
  void end() noexcept;

 private:
  void filter() noexcept;

  const LowPass* filter_ = nullptr;
  std::vector<double> buffer_;
  std::size_t held_ = 0, left_ = 0;
  double* out_ = nullptr;
};

}  // namespace rpsd
