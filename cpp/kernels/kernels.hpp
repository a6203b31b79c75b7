// SPDX-License-Identifier: MIT
// The kernel table: what the core may ask of the per-ISA code. Pointers and lengths only.
//
// Contract of every kernel: noexcept, no allocation, no branch on options, results equal to the bit in
// every ISA. An output element is summed in one documented order; reductions over a whole array use
// sixteen fixed lanes (element i goes to lane i % 16) that are folded in halves: k and k + 8, k and k + 4, and so on.
#pragma once

#include <stddef.h>

#include "causal_state.hpp"

namespace rpsd::kernels {

// Outputs of one lane that fir and fir_symmetric work on at a time: input and output stay in the first-level cache.
constexpr size_t kFirSegment = 256;

template <class T>
struct Table {
  // even[i] = x[2i], odd[i] = x[2i+1]; n samples in.
  void (*split)(const T* x, size_t n, T* even, T* odd) noexcept;

  // One analysis step on split input: with c = taps[4m..4m+3],
  // a[i] = sum_m c[1] odd[i+m] + c[0] even[i+m],  d[i] = sum_m c[3] odd[i+m] + c[2] even[i+m], m descending.
  // Reads half - 1 samples past the n outputs.
  void (*analysis)(const T* even, const T* odd, size_t n, const T* taps, size_t half, T* a, T* d) noexcept;

  // The same with a split for the next step: a[2i] goes to a_even[i], a[2i+1] to a_odd[i].
  void (*analysis_split)(const T* even, const T* odd, size_t n, const T* taps, size_t half, T* a_even, T* a_odd,
                         T* d) noexcept;

  // One synthesis step: with c = taps[4m..4m+3], for i < pairs
  // out[2i] = sum_m c[1] d[i+m] + c[0] a[i+m],  out[2i+1] = sum_m c[3] d[i+m] + c[2] a[i+m], m descending.
  // Reads half - 1 samples past the pairs.
  void (*synthesis)(const T* a, const T* d, size_t pairs, const T* taps, size_t half, T* out) noexcept;

  // out[i] = sum_k taps[k] x[i+k], k ascending, for i < n; reads n_taps - 1 samples past n; out lies apart from x.
  // scratch: 2 kFirSegment + n_taps vectors of 64 bytes.
  void (*fir)(const T* x, size_t n, const T* taps, size_t n_taps, T* out, T* scratch) noexcept;

  // The same for taps[k] = taps[n_taps - 1 - k], n_taps >= 2, as sum_k taps[k] (x[i+k] + x[i+n_taps-1-k]) for
  // k < n_taps / 2, k ascending, + taps[n_taps/2] x[i+n_taps/2] where n_taps is odd.
  void (*fir_symmetric)(const T* x, size_t n, const T* taps, size_t n_taps, T* out, T* scratch) noexcept;

  // Fourier transform of n complex numbers (n >= 256, a power of two) in place, into an order that only fft_inverse
  // and multiply_complex of the same table know; fft_inverse goes back, times n. roots: see ConvolutionFft.
  void (*fft_forward)(T* re, T* im, size_t n, const T* roots) noexcept;
  void (*fft_inverse)(T* re, T* im, size_t n, const T* roots) noexcept;

  // (re, im)[i] *= (other_re, other_im)[i]; the others lie apart from re and im; n as above.
  void (*multiply_complex)(T* re, T* im, const T* other_re, const T* other_im, size_t n) noexcept;

  // One level of the maximal overlap transform: with g = taps[2l], h = taps[2l+1],
  // v[t] = sum_l g x[t - offsets[l]],  w[t] = sum_l h x[t - offsets[l]], l ascending, for t < n; no v where v is null.
  // Reads the samples before x that the offsets reach; v and w may not be x.
  void (*modwt_analysis)(const T* x, size_t n, const T* taps, const size_t* offsets, size_t n_taps, T* v,
                         T* w) noexcept;

  // Its transpose: x[t] = sum_l g v[t + offsets[l]] + sum_l h w[t + offsets[l]], each l ascending, then added.
  void (*modwt_synthesis)(const T* v, const T* w, size_t n, const T* taps, const size_t* offsets, size_t n_taps,
                          T* x) noexcept;

  // Sums in double, sixteen lanes.
  double (*sum)(const T* x, size_t n) noexcept;
  double (*sum_squares)(const T* x, size_t n) noexcept;

  // True where every sample is finite.
  bool (*all_finite)(const T* x, size_t n) noexcept;

  // Median of |x| (mean of the two middle ones for even n), exact; n >= 1, no NaN.
  // scratch holds n values of T, aligned for it.
  double (*median_abs)(const T* x, size_t n, void* scratch) noexcept;

  // Shrinkage; threshold >= 0, out may be x.
  void (*soft)(const T* x, size_t n, T threshold, T* out) noexcept;
  void (*hard)(const T* x, size_t n, T threshold, T* out) noexcept;
  void (*garrote)(const T* x, size_t n, T threshold, T* out) noexcept;
  void (*firm)(const T* x, size_t n, T low, T high, T* out) noexcept;
  void (*scad)(const T* x, size_t n, T threshold, T* out) noexcept;

  // Empirical Bayes shrinkage with the quasi-Cauchy prior (ebayes.inl). 0 < weight <= 1, sigma > 0; out may be x.
  // odds[i]: by how much likelier x[i] / sigma is where there is signal than where there is none, less one.
  void (*cauchy_odds)(const T* x, size_t n, double inverse_sigma, double* odds) noexcept;
  // slopes, if not null: the sum of the slopes of that curve at the coefficients.
  void (*posterior_mean)(const T* x, size_t n, double sigma, double weight, T* out, double* slopes) noexcept;
  // threshold: in units of sigma, up to where the median is 0 at this weight.
  void (*posterior_median)(const T* x, size_t n, double sigma, double weight, double threshold, T* out) noexcept;

  // The same with the Laplace prior of rate a in units of 1 / sigma (laplace.inl), 0.04 <= a <= 3.
  void (*laplace_mean)(const T* x, size_t n, double sigma, double weight, double a, T* out) noexcept;
  void (*laplace_median)(const T* x, size_t n, double sigma, double weight, double a, double threshold, T* out) noexcept;
};

struct EbayesTable {
  // sums = {sum of q, sum of q^2}, q = odds[i] / (1 + weight odds[i]), in sixteen lanes.
  void (*weight_score)(const double* odds, size_t n, double weight, double* sums) noexcept;

  // As cauchy_odds, with the Laplace prior of rate a, of coefficients z >= 0 in units of the noise; slopes: d odds / d a.
  void (*laplace_odds)(const double* z, size_t n, double a, double* odds, double* slopes) noexcept;
  // Sum of slopes[i] / (1 + weight odds[i]), in sixteen lanes.
  double (*laplace_score)(const double* odds, const double* slopes, size_t n, double weight) noexcept;
};

// The guardrails' passes. Lanes are eight sums, carried from chunk to chunk; all chunks but the last are multiples of
// eight samples.
struct QualityTable {
  // sums = {sum of x - x[0], sum of x^2}; n >= 1.
  void (*level_sums)(const double* x, size_t n, double* sums) noexcept;

  // u = x - mean_x, v = y - mean_y; adds to the eight lanes each of u, v, u^2, v^2, u v, (x - y)^2.
  void (*centre)(const double* x, const double* y, size_t n, double mean_x, double mean_y, double* u, double* v,
                 double* lanes) noexcept;

  // out[i] = sum_k taps[k] u[step i + k] for i < n; tap k in lane k % 8, n_taps a multiple of eight.
  void (*decimate)(const double* u, size_t n, size_t step, const double* taps, size_t n_taps, double* out) noexcept;

  // How many of the 30-sample windows at x + i and y + i, i < windows, have least-squares slopes of the same sign, zero
  // included; a flat window gives exactly zero.
  size_t (*agreeing_slopes)(const double* x, const double* y, size_t windows) noexcept;

  // Adds u[i] u[i + lag + j], i < n, to the eight lanes of each j < lags.
  void (*lagged_products)(const double* u, size_t n, size_t lag, size_t lags, double* lanes) noexcept;
};

// Problems that the state-space recursions run side by side, one in each lane of a bundle.
constexpr size_t kBundle = 8;

// Local level problems (state_space.hpp) of one length; the pointers of lanes from count on are those of lane 0.
struct LevelLanes {
  const double *y[kBundle], *seen[kBundle], *q[kBundle], *r[kBundle];
  size_t count;
};

// Where the filter stands. The sums are over the samples seen after the first: of e^2 / F, and of log F as
// log(mantissa) + exponent ln 2.
struct LevelState {
  double mean[kBundle], variance[kBundle], squares[kBundle], mantissa[kBundle], exponent[kBundle];
};

// Where the smoother stands: the sample after the next, and the variance of the step to it.
struct SmootherState {
  double mean[kBundle], variance[kBundle], step[kBundle];
};

struct SmoothedLanes {
  double *mean[kBundle], *variance[kBundle], *step_square[kBundle];
};

// What one sweep of the filter tells of the likelihood at noise variances ratio r, and of its derivative by log(ratio):
// sums of e^2 / F and of log F as above, and the derivatives of both; and where the sweep stands.
struct LevelProfile {
  double ratio[kBundle];
  double mean[kBundle], variance[kBundle], mean_slope[kBundle], variance_slope[kBundle];
  double squares[kBundle], squares_slope[kBundle], mantissa[kBundle], exponent[kBundle], logs_slope[kBundle];
};

// Problems with scale mixtures: `steps` and `noises` scales that have a weight in any lane, and each lane's own largest.
struct MixtureLanes {
  LevelLanes level;
  size_t steps, noises;
  double step_scale[kBundle], noise_scale[kBundle];
  double step_weight[kBundle][kBundle], noise_weight[kBundle][kBundle];  // [scale][lane]
  double largest_step[kBundle], largest_noise[kBundle], mean_step[kBundle];
};

struct MixtureState {
  double mean[kBundle], variance[kBundle], squares[kBundle], mantissa[kBundle], exponent[kBundle];
};

// The local level recursions, eight problems at a time; what a lane gives does not depend on the others.
struct StateSpaceTable {
  // The filter over begin <= t < end, from the first sample where begin = 0; `kept` takes for each t the means and the
  // variances given the samples so far and the step variances, 24 values at most.
  void (*filter)(const LevelLanes& lanes, size_t begin, size_t end, LevelState& state, double* kept) noexcept;

  // Back from t = end - 1 to begin over what the filter kept; n samples in all.
  void (*smooth)(const SmoothedLanes& out, size_t count, size_t begin, size_t end, size_t n, SmootherState& state,
                 const double* kept) noexcept;

  // The filter's sums alone, over begin <= t < end as above: at the end of a series they are those of all of it.
  void (*likelihood)(const LevelLanes& lanes, size_t begin, size_t end, LevelState& state) noexcept;
  void (*profile)(const LevelLanes& lanes, size_t begin, size_t end, LevelProfile& profile) noexcept;
  void (*mixture)(const MixtureLanes& lanes, size_t begin, size_t end, MixtureState& state) noexcept;

  // The sites of scale_mixture.hpp. Adds to eight lanes each of {samples seen, E[e^2] in its scale's units, doubt, eight
  // responsibilities}; n is a multiple of eight but in a series' last piece.
  void (*noise_sites)(const double* y, const double* seen, const double* mean, const double* variance, size_t n,
                      double least_variance, double noise_variance, const double* weights, double* r,
                      double* sums) noexcept;

  // For 1 <= t < n; likewise n - 1 and {scaled_square / shape, doubt, six responsibilities}.
  void (*step_sites)(const double* mean, const double* step_square, const double* shape, const double* q, size_t n,
                     double least_variance, double step_variance, const double* weights, double* scaled_square,
                     double* ratio, double* sums) noexcept;

  // Element-wise within 1.1 ulp; out may be x. e^x for x <= 709, zero from -708 down; log x for normal x > 0.
  void (*exponentials)(const double* x, size_t n, double* out) noexcept;
  void (*logarithms)(const double* x, size_t n, double* out) noexcept;
};

struct Kernels {
  const char* isa;
  Table<double> f64;
  Table<float> f32;
  QualityTable quality;
  EbayesTable ebayes;
  StateSpaceTable state_space;
  CausalTable causal;
};

}  // namespace rpsd::kernels

// One exported symbol per ISA object; which of them exist is decided by the build (RPSD_HAVE_V3, RPSD_HAVE_V4).
extern "C" {
const rpsd::kernels::Kernels* rpsd_kernels_baseline() noexcept;
#if defined(RPSD_HAVE_V3)
const rpsd::kernels::Kernels* rpsd_kernels_v3() noexcept;
#endif
#if defined(RPSD_HAVE_V4)
const rpsd::kernels::Kernels* rpsd_kernels_v4() noexcept;
#endif
}
