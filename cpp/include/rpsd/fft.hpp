// SPDX-License-Identifier: MIT
// Discrete Fourier transforms of powers of two, for convolutions.
#pragma once

#include <cstddef>
#include <vector>

#include "rpsd/cpu.hpp"

namespace rpsd {

// Transforms of n complex numbers on split arrays, in place, for convolutions: forward leaves the frequencies in an
// order that depends on n and on the instruction set, so a spectrum is good only for multiply with another one of the
// same object and for inverse. Results are equal to the bit for every instruction set and system. Immutable, may be
// shared by threads.
template <class T>
class ConvolutionFft {
 public:
  // n: a power of two, at least 256; else std::invalid_argument.
  explicit ConvolutionFft(std::size_t n);

  std::size_t size() const noexcept { return n_; }

  // sum_t z[t] exp(-2 pi i k t / n). Arrays a multiple of 4096 bytes apart are slower than others.
  void forward(T* re, T* im) const noexcept;

  // The way back, unscaled: inverse(forward(z)) = n z.
  void inverse(T* re, T* im) const noexcept;

  // Spectra multiplied point by point into (re, im); the others lie apart from re and im.
  void multiply(T* re, T* im, const T* other_re, const T* other_im) const noexcept;

 private:
  std::size_t n_;
  const kernels::Table<T>* kernel_;
  std::vector<T> roots_;
};

}  // namespace rpsd
