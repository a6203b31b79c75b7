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

inline IppStatus init_filter(const std::vector<Ipp32f>& taps, IppsFIRSpec_32f* spec) {
  return ippsFIRSRInit_32f(taps.data(), static_cast<int>(taps.size()), ippAlgDirect, spec);
}
inline IppStatus init_filter(const std::vector<Ipp64f>& taps, IppsFIRSpec_64f* spec) {
  return ippsFIRSRInit_64f(taps.data(), static_cast<int>(taps.size()), ippAlgDirect, spec);
}
inline IppStatus run_filter(const Ipp32f* x, Ipp32f* y, int n, IppsFIRSpec_32f* spec, const Ipp32f* before, Ipp8u* work) {
  return ippsFIRSR_32f(x, y, n, spec, before, nullptr, work);
}
inline IppStatus run_filter(const Ipp64f* x, Ipp64f* y, int n, IppsFIRSpec_64f* spec, const Ipp64f* before, Ipp8u* work) {
  return ippsFIRSR_64f(x, y, n, spec, before, nullptr, work);
}
inline IppStatus keep_odd(const Ipp32f* x, int n, Ipp32f* y) {
  int length = 0, phase = 1;
  return ippsSampleDown_32f(x, n, y, &length, 2, &phase);
}
inline IppStatus keep_odd(const Ipp64f* x, int n, Ipp64f* y) {
  int length = 0, phase = 1;
  return ippsSampleDown_64f(x, n, y, &length, 2, &phase);
}
inline IppStatus add_zeros(const Ipp32f* x, int n, Ipp32f* y) {
  int length = 0, phase = 0;
  return ippsSampleUp_32f(x, n, y, &length, 2, &phase);
}
inline IppStatus add_zeros(const Ipp64f* x, int n, Ipp64f* y) {
  int length = 0, phase = 0;
  return ippsSampleUp_64f(x, n, y, &length, 2, &phase);
}
inline IppStatus add(const Ipp32f* a, Ipp32f* b, int n) { return ippsAdd_32f_I(a, b, n); }
inline IppStatus add(const Ipp64f* a, Ipp64f* b, int n) { return ippsAdd_64f_I(a, b, n); }

// One level by IPP's FIR filters, in blocks that stay in the first cache. Its multirate filters, which would save half
// of the products, take four times as long in double.
template <class T>
class FilterStep {
 public:
  using Sample = T;

  explicit FilterStep(const rpsd::FilterBank& bank)
      : dec_lo_(bank.dec_lo), dec_hi_(bank.dec_hi), rec_lo_(bank.rec_lo), rec_hi_(bank.rec_hi), before_(bank.dec_lo.size() - 1) {}

  void forward(const T* before, const T* x, std::size_t n, T* low, T* high) {
    std::copy(before, before + before_.size() - 1, before_.begin() + 1);
    for (std::size_t at = 0; at < 2 * n; at += kBlock) {
      const int m = static_cast<int>(std::min(kBlock, 2 * n - at));
      const T* history = at == 0 ? before_.data() : x + at - before_.size();
      dec_lo_(x + at, block_, m, history);
      require(keep_odd(block_, m, low + at / 2), "ippsSampleDown");
      dec_hi_(x + at, block_, m, history);
      require(keep_odd(block_, m, high + at / 2), "ippsSampleDown");
    }
  }

  void inverse(const T* low, const T* high, std::size_t before, std::size_t n, T* x) {
    for (std::size_t at = 0; at < n; at += kBlock / 2) {
      const int m = static_cast<int>(std::min(kBlock / 2, n - at));
      synthesis(rec_lo_, low + at, before, m, x + 2 * at);
      synthesis(rec_hi_, high + at, before, m, block_);
      require(add(block_, x + 2 * at, 2 * m), "ippsAdd");
    }
  }

 private:
  static constexpr std::size_t kBlock = 2048;
  using Spec = std::conditional_t<std::is_same_v<T, float>, IppsFIRSpec_32f, IppsFIRSpec_64f>;

  class Filter {
   public:
    explicit Filter(const std::vector<double>& taps) {
      const std::vector<T> narrow(taps.begin(), taps.end());
      int spec = 0, work = 0;
      const auto type = std::is_same_v<T, float> ? ipp32f : ipp64f;
      require(ippsFIRSRGetSize(static_cast<int>(taps.size()), type, &spec, &work), "ippsFIRSRGetSize");
      spec_ = reinterpret_cast<Spec*>(spec_memory_.resize(spec));
      work_ = work_memory_.resize(work);
      require(init_filter(narrow, spec_), "ippsFIRSRInit");
    }
    void operator()(const T* x, T* y, int n, const T* before) {
      require(run_filter(x, y, n, spec_, before, work_), "ippsFIRSR");
    }

   private:
    IppMemory spec_memory_, work_memory_;
    Spec* spec_ = nullptr;
    Ipp8u* work_ = nullptr;
  };

  void synthesis(Filter& filter, const T* coefficients, std::size_t before, int m, T* out) {
    std::fill(before_.begin(), before_.end(), T(0));
    for (std::size_t i = 0; i < before; ++i) before_[2 * i + 1] = coefficients[i];
    require(add_zeros(coefficients + before, m, spread_), "ippsSampleUp");
    filter(spread_, out, 2 * m, before_.data());
  }

  Filter dec_lo_, dec_hi_, rec_lo_, rec_hi_;
  std::vector<T> before_;
  T block_[kBlock], spread_[kBlock];
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
