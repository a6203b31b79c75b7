// SPDX-License-Identifier: MIT
#include "rpsd/spectrum.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "rpsd/cpu.hpp"

namespace rpsd {
namespace {

constexpr double kPi = 3.141592653589793238462643383279503;
constexpr double kEdge = 0.05;  // cycles a sample: a tenth of the Nyquist frequency
constexpr std::size_t kFirstStep = 4, kLastStep = 7;

// T_m(u) by doubling: (T_k, T_k+1) gives (T_2k, T_2k+1) or (T_2k+1, T_2k+2).
double chebyshev(std::size_t m, double u) noexcept {
  double a = 1, b = u;
  std::size_t bit = 1;
  while (2 * bit <= m) bit *= 2;
  for (; bit > 0; bit /= 2) {
    const double between = 2 * a * b - u;
    if ((m & bit) != 0) {
      a = between;
      b = 2 * b * b - 1;
    } else {
      b = between;
      a = 2 * a * a - 1;
    }
  }
  return a;
}

// The Chebyshev polynomial of cos(2 pi f) that ripples over [1 / step - 0.05, 0.5], where everything is that folds
// onto the band; outside its interval no polynomial of the degree grows faster (Dolph 1946).
LowPass design(std::size_t step) {
  constexpr double kSuppression = 1e15;
  LowPass filter{};
  filter.step = step;
  const double stop = std::cos(2 * kPi * (1 / static_cast<double>(step) - kEdge));
  filter.middle = (stop - 1) / 2;
  filter.half_width = (stop + 1) / 2;
  const double edge = (std::cos(2 * kPi * kEdge) - filter.middle) / filter.half_width;
  filter.degree = static_cast<std::size_t>(std::ceil(std::acosh(kSuppression) / std::acosh(edge)));
  // The inverse transform of the gain at as many frequencies as there are taps.
  const std::size_t count = 2 * filter.degree + 1;
  std::vector<double> cosine(count);
  for (std::size_t i = 0; i < count; ++i)
    cosine[i] = std::cos(2 * kPi * static_cast<double>(i) / static_cast<double>(count));
  filter.taps.assign((count + 7) / 8 * 8, 0.0);
  for (std::size_t j = 0; j <= filter.degree; ++j) {
    double sum = 1;
    for (std::size_t i = 1; i <= filter.degree; ++i) sum += 2 * filter.gain(cosine[i]) * cosine[i * j % count];
    filter.taps[filter.degree + j] = filter.taps[filter.degree - j] = sum / static_cast<double>(count);
  }
  return filter;
}

const LowPass& low_pass(std::size_t step) {
  static const std::array<LowPass, kLastStep - kFirstStep + 1> filters = {design(4), design(5), design(6), design(7)};
  return filters[step - kFirstStep];
}

std::size_t power_of_two(std::size_t least) noexcept {
  std::size_t size = 256;
  while (size < least) size *= 2;
  return size;
}

// exp(i pi m / n) for 0 <= m < 2 n as a product of two table entries.
class HalfTurns {
 public:
  explicit HalfTurns(std::size_t n) {
    while ((std::uint64_t{1} << (2 * shift_)) < 2 * std::uint64_t{n}) ++shift_;
    const std::size_t low = std::size_t{1} << shift_;
    const double unit = kPi / static_cast<double>(n);
    low_.resize(low);
    high_.resize(2 * n / low + 1);
    for (std::size_t i = 0; i < low; ++i) low_[i] = at(unit * static_cast<double>(i));
    for (std::size_t i = 0; i < high_.size(); ++i) high_[i] = at(unit * static_cast<double>(i * low));
  }

  struct Point {
    double re, im;
  };

  Point operator()(std::uint64_t m) const noexcept {
    const Point a = high_[static_cast<std::size_t>(m >> shift_)];
    const Point b = low_[static_cast<std::size_t>(m & ((std::uint64_t{1} << shift_) - 1))];
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }

 private:
  static Point at(double angle) { return {std::cos(angle), std::sin(angle)}; }

  int shift_ = 1;
  std::vector<Point> low_, high_;
};

}  // namespace

double LowPass::gain(double cosine) const noexcept {
  return chebyshev(degree, (cosine - middle) / half_width) / chebyshev(degree, (1 - middle) / half_width);
}

void LowBand::prepare(std::size_t n) {
  if (n == n_) return;
  n_ = 0;
  bins_ = n / 20;
  // The smallest step, hence the shortest filter, with which the transform is as short as with the largest.
  const auto needed = [&](std::size_t step) { return power_of_two(low_pass(step).outputs(n) + 2 * bins_); };
  const std::size_t size = needed(kLastStep);
  std::size_t step = kFirstStep;
  while (needed(step) > size) ++step;
  filter_ = &low_pass(step);
  outputs_ = filter_->outputs(n);
  if (fft_ == nullptr || size != size_) fft_ = std::make_unique<ConvolutionFft<double>>(size);
  size_ = size;
  n_ = n;
  if (bins_ > 0) make_chirp();
}

// With decimated time t and bin k, step k t = step (k^2 + t^2 - (k - t)^2) / 2 makes the transform a convolution with
// the chirp exp(i pi step s^2 / n) (Bluestein 1970), of which only the bins -n/20 .. n/20 are wanted.
void LowBand::make_chirp() {
  const HalfTurns turn(n_);
  const std::size_t count = outputs_ + bins_;
  const std::uint64_t whole = 2 * std::uint64_t{n_}, step = filter_->step;
  chirp_re_.resize(count);
  chirp_im_.resize(count);
  // step s^2 mod 2n by its differences step (2s + 1), so that the angle never loses digits.
  std::uint64_t square = 0, difference = step;
  for (std::size_t s = 0; s < count; ++s) {
    const auto point = turn(square);
    chirp_re_[s] = point.re;
    chirp_im_[s] = point.im;
    square += difference;
    if (square >= whole) square -= whole;
    difference += 2 * step;
    if (difference >= whole) difference -= whole;
  }
  double* const re = spectrum_.get(2 * size_ + kGap);
  double* const im = re + size_ + kGap;
  std::fill(re, im + size_, 0.0);
  for (std::size_t s = 1; s < count; ++s) {
    re[size_ - s] = chirp_re_[s];
    im[size_ - s] = chirp_im_[s];
  }
  for (std::size_t s = 0; s <= bins_; ++s) {
    re[s] = chirp_re_[s];
    im[s] = chirp_im_[s];
  }
  fft_->forward(re, im);
  weights_.resize(bins_ + 1);
  const double scale = 2 * static_cast<double>(size_);
  for (std::size_t k = 1; k <= bins_; ++k) {
    const double gain = scale * filter_->gain(turn(2 * std::uint64_t{k}).re);
    weights_[k] = 1 / (gain * gain);
  }
}

BandPower LowBand::power(const double* x, const double* y) {
  if (bins_ == 0) return {0, 0};
  // Both of unit size, so that the weaker one does not drown in the rounding of the other.
  const auto& kernel = active_table<double>();
  const double size_x = std::sqrt(kernel.sum_squares(x, outputs_)), size_y = std::sqrt(kernel.sum_squares(y, outputs_));
  const double to_x = size_x > 0 ? 1 / size_x : 0, to_y = size_y > 0 ? 1 / size_y : 0;
  double* const a = re();
  double* const b = im();
  for (std::size_t t = 0; t < outputs_; ++t) {
    const double u = to_x * x[t], v = to_y * y[t];
    a[t] = u * chirp_re_[t] + v * chirp_im_[t];
    b[t] = v * chirp_re_[t] - u * chirp_im_[t];
  }
  std::fill(a + outputs_, a + size_, 0.0);
  std::fill(b + outputs_, b + size_, 0.0);
  fft_->forward(a, b);
  const double* const chirp = spectrum_.get(0);
  fft_->multiply(a, b, chirp, chirp + size_ + kGap);
  fft_->inverse(a, b);
  // Two real transforms in one: X_k = (Z_k + conj Z_-k) / 2, Y_k = (Z_k - conj Z_-k) / 2i; Z_k and Z_-k still lack the
  // same factor conj chirp_k, of modulus 1, hence its square on one of them.
  BandPower power{0, 0};
  for (std::size_t k = 1; k <= bins_; ++k) {
    const double c = chirp_re_[k], s = chirp_im_[k];
    const double square_re = c * c - s * s, square_im = -2 * c * s;
    const double p = square_re * a[k] - square_im * b[k], q = square_re * b[k] + square_im * a[k];
    const double u = a[size_ - k], v = -b[size_ - k];
    power.x += weights_[k] * ((p + u) * (p + u) + (q + v) * (q + v));
    power.y += weights_[k] * ((p - u) * (p - u) + (q - v) * (q - v));
  }
  return {power.x * (size_x * size_x), power.y * (size_y * size_y)};
}

void Decimator::begin(const LowPass& filter, std::size_t n, double* out) {
  filter_ = &filter;
  buffer_.resize(kChunk + 2 * filter.taps.size());
  held_ = filter.reach();
  std::fill(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(held_), 0.0);
  left_ = filter.outputs(n);
  out_ = out;
}

void Decimator::take(std::size_t samples) noexcept {
  held_ += samples;
  filter();
}

void Decimator::end() noexcept {
  std::fill_n(room(), filter_->taps.size(), 0.0);
  held_ += filter_->taps.size();
  filter();
}

// As many outputs as the samples held allow; keeps those that later ones need.
void Decimator::filter() noexcept {
  const std::size_t taps = filter_->taps.size();
  if (held_ < taps) return;
  const std::size_t count = std::min(left_, (held_ - taps) / filter_->step + 1);
  active_kernels().quality.decimate(buffer_.data(), count, filter_->step, filter_->taps.data(), taps, out_);
  out_ += count;
  left_ -= count;
  const auto used = static_cast<std::ptrdiff_t>(count * filter_->step), held = static_cast<std::ptrdiff_t>(held_);
  std::copy(buffer_.begin() + used, buffer_.begin() + held, buffer_.begin());
  held_ -= count * filter_->step;
}

}  // namespace rpsd
