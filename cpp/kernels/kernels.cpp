// SPDX-License-Identifier: MIT
// Compiled once per ISA; exports one function, everything else is in anonymous namespaces.
//
// An inline function or template with linkage, compiled here with wide instructions, could be the copy that the
// linker keeps for the whole library. Hence: C headers only, no std::, no statics with initialisers that run.
#include "kernels.hpp"

#include <stdint.h>
#include <string.h>

namespace {

template <class T>
struct UintOf;
template <>
struct UintOf<double> {
  using type = uint64_t;
};
template <>
struct UintOf<float> {
  using type = uint32_t;
};

}  // namespace

#include "vec.inl"
#include "wavelet.inl"
#include "transpose.inl"
#include "fir.inl"
#include "fft.inl"
#include "modwt.inl"
#include "reduce.inl"
#include "select.inl"
#include "threshold.inl"
#include "ebayes.inl"
#include "laplace.inl"
#include "quality.inl"
#include "elementary.inl"
#include "bundle.inl"
#include "state_space.inl"
#include "scale_mixture.inl"
#include "causal_layout.inl"
#include "causal_bank.inl"
#include "causal_components.inl"
#include "causal_tile.inl"
#include "causal_chains.inl"
#include "causal_gate.inl"
#include "causal.inl"
#include "causal_tile_sweep.inl"

#if defined(RPSD_ISA_V4)
#define RPSD_ISA_NAME "v4"
#define RPSD_ISA_ENTRY rpsd_kernels_v4
#elif defined(RPSD_ISA_V3)
#define RPSD_ISA_NAME "v3"
#define RPSD_ISA_ENTRY rpsd_kernels_v3
#else
#define RPSD_ISA_NAME "baseline"
#define RPSD_ISA_ENTRY rpsd_kernels_baseline
#endif

#define RPSD_TABLE(T)                                                                                          \
  {                                                                                                            \
    split<T>, analysis<T>, analysis_split<T>, synthesis<T>, fir<T>, fir_symmetric<T>, fft_forward<T>,           \
        fft_inverse<T>, multiply_complex<T>, modwt_analysis<T>, modwt_synthesis<T>, sum<T>, sum_squares<T>,     \
        all_finite<T>, median_abs<T>, soft<T>, hard<T>, garrote<T>, firm<T>, scad<T>, cauchy_odds<T>,          \
        posterior_mean<T>, posterior_median<T>, laplace_mean<T>, laplace_median<T>                              \
  }

extern "C" const rpsd::kernels::Kernels* RPSD_ISA_ENTRY() noexcept {
  static constexpr rpsd::kernels::Kernels kernels = {
      RPSD_ISA_NAME,
      RPSD_TABLE(double),
      RPSD_TABLE(float),
      {level_sums, centre, decimate, agreeing_slopes, lagged_products},
      {weight_score, laplace_odds, laplace_score},
      {level_filter, level_smooth, level_likelihood, level_profile, level_mixture, noise_sites, step_sites,
       exponentials, logarithms},
      {causal_sweep<AutomaticMethod>, causal_sweep<KalmanMethod>, causal_tile, kRealLanes}};
  return &kernels;
}

#undef RPSD_TABLE
#undef RPSD_ISA_ENTRY
#undef RPSD_ISA_NAME
#undef RPSD_VEC_BYTES
