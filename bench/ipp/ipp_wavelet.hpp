// SPDX-License-Identifier: MIT
// A multilevel wavelet transform on Intel IPP, symmetric at the ends: coefficients, their number and their order are
// PyWavelets'. IPP knows no ends: what lies before a signal is given as a delay line, and what lies after it is run as a
// second block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "contest.hpp"
#include "rpsd/wavelet.hpp"

namespace bench {

// One level by IPP's wavelet functions, which exist for float alone.
class WaveletStep {
 public:
  using Sample = Ipp32f;

  explicit WaveletStep(const rpsd::FilterBank& bank) {
    const std::vector<Ipp32f> dec_lo(bank.dec_lo.begin(), bank.dec_lo.end()), dec_hi(bank.dec_hi.begin(), bank.dec_hi.end()),
        rec_lo(bank.rec_lo.begin(), bank.rec_lo.end()), rec_hi(bank.rec_hi.begin(), bank.rec_hi.end());
    const int taps = static_cast<int>(dec_lo.size());
    int size = 0;
    require(ippsWTFwdGetSize(ipp32f, taps, -1, taps, -1, &size), "ippsWTFwdGetSize");
    forward_ = reinterpret_cast<IppsWTFwdState_32f*>(forward_memory_.resize(size));
    require(ippsWTFwdInit_32f(forward_, dec_lo.data(), taps, -1, dec_hi.data(), taps, -1), "ippsWTFwdInit");
    require(ippsWTInvGetSize(ipp32f, taps, 0, taps, 0, &size), "ippsWTInvGetSize");
    inverse_ = reinterpret_cast<IppsWTInvState_32f*>(inverse_memory_.resize(size));
    require(ippsWTInvInit_32f(inverse_, rec_lo.data(), taps, 0, rec_hi.data(), taps, 0), "ippsWTInvInit");
  }

  // before: taps - 2 samples, oldest first; x: 2 n samples.
  void forward(const Ipp32f* before, const Ipp32f* x, std::size_t n, Ipp32f* low, Ipp32f* high) {
    require(ippsWTFwdSetDlyLine_32f(forward_, before, before), "ippsWTFwdSetDlyLine");
    require(ippsWTFwd_32f(x, low, high, static_cast<int>(n), forward_), "ippsWTFwd");
  }

  // taps / 2 - 1 coefficients of each kind before the n that give 2 n samples.
  void inverse(const Ipp32f* low, const Ipp32f* high, std::size_t before, std::size_t n, Ipp32f* x) {
    require(ippsWTInvSetDlyLine_32f(inverse_, low, high), "ippsWTInvSetDlyLine");
    require(ippsWTInv_32f(low + before, high + before, static_cast<int>(n), x, inverse_), "ippsWTInv");
  }

 private:
  IppMemory forward_memory_, inverse_memory_;
  IppsWTFwdState_32f* forward_ = nullptr;
  IppsWTInvState_32f* inverse_ = nullptr;
};

inline IppStatus init_multirate(const std::vector<Ipp32f>& taps, int up, int down, int phase, IppsFIRSpec_32f* spec) {
  return ippsFIRMRInit_32f(taps.data(), static_cast<int>(taps.size()), up, 0, down, phase, spec);
}
inline IppStatus init_multirate(const std::vector<Ipp64f>& taps, int up, int down, int phase, IppsFIRSpec_64f* spec) {
  return ippsFIRMRInit_64f(taps.data(), static_cast<int>(taps.size()), up, 0, down, phase, spec);
}
inline IppStatus run_multirate(const Ipp32f* x, Ipp32f* y, int n, IppsFIRSpec_32f* spec, const Ipp32f* before, Ipp8u* work) {
  return ippsFIRMR_32f(x, y, n, spec, before, nullptr, work);
}
inline IppStatus run_multirate(const Ipp64f* x, Ipp64f* y, int n, IppsFIRSpec_64f* spec, const Ipp64f* before, Ipp8u* work) {
  return ippsFIRMR_64f(x, y, n, spec, before, nullptr, work);
}
inline IppStatus add(const Ipp32f* a, Ipp32f* b, int n) { return ippsAdd_32f_I(a, b, n); }
inline IppStatus add(const Ipp64f* a, Ipp64f* b, int n) { return ippsAdd_64f_I(a, b, n); }

// One level by IPP's multirate filters: two that keep every second sample, and two that put zeros between samples.
template <class T>
class MultirateStep {
 public:
  using Sample = T;

  explicit MultirateStep(const rpsd::FilterBank& bank)
      : taps_(bank.dec_lo.size()), dec_lo_(bank.dec_lo, 1, 2), dec_hi_(bank.dec_hi, 1, 2), rec_lo_(bank.rec_lo, 2, 1), rec_hi_(bank.rec_hi, 2, 1) {}

  void forward(const T* before, const T* x, std::size_t n, T* low, T* high) {
    dec_lo_(x, low, n, before, taps_ - 2);
    dec_hi_(x, high, n, before, taps_ - 2);
  }

  void inverse(const T* low, const T* high, std::size_t before, std::size_t n, T* x) {
    high_.resize(2 * n);
    rec_lo_(low + before, x, n, low, before);
    rec_hi_(high + before, high_.data(), n, high, before);
    require(add(high_.data(), x, static_cast<int>(2 * n)), "ippsAdd");
  }

 private:
  using Spec = std::conditional_t<std::is_same_v<T, float>, IppsFIRSpec_32f, IppsFIRSpec_64f>;
  class Filter {
   public:
    // The samples before the first are the last that IPP's delay line of taps / up holds.
    Filter(const std::vector<double>& taps, int up, int down) : before_(taps.size() / static_cast<std::size_t>(up)) {
      const std::vector<T> narrow(taps.begin(), taps.end());
      int spec = 0, work = 0;
      const auto type = std::is_same_v<T, float> ? ipp32f : ipp64f;
      require(ippsFIRMRGetSize(static_cast<int>(taps.size()), up, down, type, &spec, &work), "ippsFIRMRGetSize");
      spec_ = reinterpret_cast<Spec*>(spec_memory_.resize(spec));
      work_ = work_memory_.resize(work);
      require(init_multirate(narrow, up, down, down - 1, spec_), "ippsFIRMRInit");
    }
    void operator()(const T* x, T* y, std::size_t n, const T* before, std::size_t known) {
      std::copy(before, before + known, before_.end() - static_cast<std::ptrdiff_t>(known));
      require(run_multirate(x, y, static_cast<int>(n), spec_, before_.data(), work_), "ippsFIRMR");
    }

   private:
    std::vector<T> before_;
    IppMemory spec_memory_, work_memory_;
    Spec* spec_ = nullptr;
    Ipp8u* work_ = nullptr;
  };

  std::size_t taps_;
  Filter dec_lo_, dec_hi_, rec_lo_, rec_hi_;
  std::vector<T> high_;
};

template <class Step>
class IppWavelet {
 public:
  using T = typename Step::Sample;

  IppWavelet(const rpsd::FilterBank& bank, std::size_t n, std::size_t levels)
      : step_(bank), taps_(bank.dec_lo.size()), lengths_{n}, before_(taps_ - 2), after_(2 * taps_) {
    for (std::size_t k = 1; k <= levels; ++k) {
      lengths_.push_back((lengths_.back() + taps_ - 1) / 2);
      details_.emplace_back(lengths_.back());
      approximations_.emplace_back(lengths_.back() + 1);
    }
  }

  std::vector<std::vector<T>>& details() { return details_; }  // level 1 first
  const std::vector<T>& approximation() const { return approximations_.back(); }

  void forward(const T* x) {
    for (std::size_t k = 0; k < details_.size(); ++k) {
      const std::size_t n = lengths_[k], inner = n / 2, outer = lengths_[k + 1] - inner;
      T *low = approximations_[k].data(), *high = details_[k].data();
      const std::size_t history = taps_ - 2;
      std::reverse_copy(x, x + history, before_.begin());
      step_.forward(before_.data(), x, inner, low, high);
      std::copy(x + 2 * inner - history, x + 2 * inner, before_.begin());
      for (std::size_t i = 0, at = 2 * inner; i < 2 * outer; ++i, ++at) after_[i] = x[at < n ? at : 2 * n - 1 - at];
      step_.forward(before_.data(), after_.data(), outer, low + inner, high + inner);
      x = low;
    }
  }

  // Writes an even number of samples: one more than an odd length.
  void inverse(T* x) {
    const std::size_t before = taps_ / 2 - 1;
    for (std::size_t k = details_.size(); k-- > 0;)
      step_.inverse(approximations_[k].data(), details_[k].data(), before, lengths_[k + 1] - before,
                    k > 0 ? approximations_[k - 1].data() : x);
  }

 private:
  Step step_;
  std::size_t taps_;
  std::vector<std::size_t> lengths_;
  std::vector<T> before_, after_;
  std::vector<std::vector<T>> details_, approximations_;
};

}  // namespace bench
