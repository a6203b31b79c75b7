// SPDX-License-Identifier: MIT
#include "rpsd/denoise_price.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "price_gain.hpp"
#include "price_work.hpp"
#include "rpsd/cleaning.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/lattice.hpp"
#include "rpsd/noise_model.hpp"
#include "rpsd/noise_test.hpp"
#include "rpsd/price_model.hpp"
#include "rpsd/scale_mixture.hpp"
#include "rpsd/state_space.hpp"
#include "rpsd/stop.hpp"
#include "thread_memory.hpp"

namespace rpsd {
namespace {

constexpr std::size_t kLeastSamples = 32;   // fewer say too little about the noise
constexpr double kBelieved = 0.99;          // as good as all of the noise
constexpr std::size_t kLeastKalman = 3;
constexpr double kLeastStep = 1e-24;        // variance, in squares of the series' scale
constexpr double kMostBadTicks = 0.05;     // a larger share is none, but what the series is
constexpr double kNoNoise = 1e-5;          // the ratio of variances at the end of the range that is searched

struct PriceScratch {
  std::array<SeriesScratch, kPriceBundle> series;
  std::array<PriceModelScratch, kPriceBundle> models;
  std::array<NoiseTestScratch, kPriceBundle> tests;
  WaveletContestScratch contest;
};

// Smooths with the believed noise level; samples set aside keep the variance that the model gave them. Where all others
// are equal neither noise nor steps have a variance, and any one tells their level.
void smooth_all(const std::vector<Work*>& works, const PriceModel* models) {
  std::vector<LocalLevel> problems;
  std::vector<Smoothed> outputs;
  for (std::size_t k = 0; k < works.size(); ++k) {
    Work& w = *works[k];
    const double step = std::max(w.test.step_variance, kLeastStep);
    const double noise = std::max(w.test.noise_variance * w.test.believed, 1e-9 * step);
    for (std::size_t t = 0; t < w.n; ++t) {
      w.q[t] = step * w.test.step_shape[t];
      w.r[t] = w.test.outlier[t] != 0 ? models[k].r[t] : noise * w.test.noise_shape[t];
    }
    problems.push_back({w.y, w.available, w.q, w.r, w.n});
    outputs.push_back({w.mean, w.variance, w.step_square});
  }
  smooth(problems.data(), outputs.data(), works.size(), nullptr);
}

void describe(const Work& w) noexcept {
  PriceReport& report = *w.report;
  double noise = 0, steps = 0, count = 0;
  for (std::size_t t = 0; t < w.n; ++t) {
    const double counts = w.available[t] * (1 - w.test.outlier[t]);
    noise += counts * w.test.noise_shape[t];
    count += counts;
    // Jumps are no ordinary steps: what is above sixteen times the base counts as that.
    steps += std::min(w.test.step_shape[t], 16.0);
  }
  report.noise_sd = std::sqrt(w.test.noise_variance * noise / count) * w.scale;
  report.step_sd = std::sqrt(w.test.step_variance * steps / static_cast<double>(w.n)) * w.scale;
  report.causal_gain_db = causal_gain_db(std::pow(report.noise_sd / report.step_sd, 2));
  report.gain_probability = w.test.gain_probability;
}

// What was left out at the ends stays as it came, unless bad ticks are what the series has and jumps are not.
bool are_bad_ends(const Work& w) noexcept {
  constexpr double kJumpShape = 36;
  constexpr std::size_t kLeast = 3, kPerJump = 3;
  if (w.head + w.tail == 0 || w.test.outliers < kLeast) return false;
  const auto jumps = std::count_if(w.test.step_shape, w.test.step_shape + w.n, [](double shape) { return shape > kJumpShape; });
  return w.test.outliers >= kPerJump * static_cast<std::size_t>(jumps);
}

void write(const Work& w, double* y, std::size_t n) noexcept {
  const auto price = [&](std::size_t t) { return w.mean[t] * w.scale + w.centre; };
  if (are_bad_ends(w)) {
    for (std::size_t t = w.begin - w.head; t < w.begin; ++t)
      if (!std::isnan(y[t])) y[t] = price(0);
    for (std::size_t t = w.begin + w.n; t < w.begin + w.n + w.tail; ++t)
      if (!std::isnan(y[t])) y[t] = price(w.n - 1);
  }
  // Bad ticks without a logarithm beyond the first and last price are told by these.
  for (std::size_t t = 0; t < w.begin; ++t)
    if (std::isinf(y[t])) y[t] = price(0);
  for (std::size_t t = w.begin + w.n; t < n; ++t)
    if (std::isinf(y[t])) y[t] = price(w.n - 1);
  for (std::size_t t = 0; t < w.n; ++t) {
    const bool cleaned = w.cleaned > 0 && w.spike[t] != 0;
    const bool touched = w.report->action == PriceAction::denoised || w.test.outlier[t] != 0;
    if (cleaned || (w.available[t] != 0 && touched)) y[w.begin + t] = price(t);
  }
}

// Prices on coarse ticks: their rounding and bounce are no Gaussian noise. True where the lattice explains the prices
// better than the fitted model does; mean and variance are then its own.
bool smooth_ticks(Work& w, const PriceFit& fit) {
  constexpr double kCoarse = 3, kStill = 0.02;  // standard deviations in ticks
  constexpr double kLead = 20, kLeadOverBest = 10;  // nats
  const double noise = std::sqrt(fit.gaussian.noise_variance), step = std::sqrt(fit.gaussian.step_variance);
  const double tick = tick_size(w.y, w.available, w.n, w.precision);
  if (!(tick > 0) || noise >= kCoarse * tick || step >= kCoarse * tick || step <= kStill * tick) return false;
  std::vector<double> mean(w.n), variance(w.n);  // the doubt about a model that stays asks for all of w's arrays
  const double* const volatility = fit.best.parts.volatility ? fit.best.volatility : nullptr;
  const LatticeFit lattice = smooth_lattice(w.y, w.available, w.n, tick, fit.gaussian.noise_variance,
                                            fit.gaussian.step_variance, mean.data(), variance.data(), volatility);
  const double lead = w.repeats ? kLead : std::max(kLead, fit.best.evidence - fit.gaussian.evidence + kLeadOverBest);
  if (!(lattice.log_likelihood_gain > lead)) return false;
  std::copy(mean.begin(), mean.end(), w.mean);
  std::copy(variance.begin(), variance.end(), w.variance);
  std::fill(w.r, w.r + w.n, lattice.noise_variance);
  w.test.noise_variance = lattice.noise_variance;
  w.test.step_variance = lattice.step_variance;
  std::fill(w.test.noise_shape, w.test.noise_shape + w.n, 1.0);
  std::fill(w.test.step_shape, w.test.step_shape + w.n, 1.0);
  return true;
}

constexpr std::size_t kPeakReach = 5;  // samples on either side

enum class Raised { on_average, on_both_sides };

// The first of the samples seen next to t, to the left (by -1) or right; false where there are fewer.
bool neighbours_seen(const Work& w, std::size_t t, std::ptrdiff_t by, std::array<double, kPeakReach>& out) noexcept {
  std::size_t count = 0;
  const auto n = static_cast<std::ptrdiff_t>(w.n);
  for (auto i = static_cast<std::ptrdiff_t>(t) + by; i >= 0 && i < n && count < out.size(); i += by)
    if (w.available[i] != 0) out[count++] = w.y[i];
  return count == out.size();
}

// Is a sample the tip of a peak, whose neighbours are raised too, over the level a few samples away? A bad tick stands
// alone; where two stand in a row, the neighbours are raised on average, but not on both sides. Lines through what is
// missing are raised by the tip itself, and say nothing.
bool is_tip(const Work& w, std::size_t t, Raised neighbours) noexcept {
  constexpr std::size_t kNear = 3;
  constexpr double kShoulder = 0.24998;  // under a quarter, which ticks often are exactly
  std::array<double, kPeakReach> before, after;
  if (!neighbours_seen(w, t, -1, before) || !neighbours_seen(w, t, 1, after)) return false;
  std::array<double, 2 * (kPeakReach - kNear + 1)> away;
  std::size_t count = 0;
  for (std::size_t k = kNear; k <= kPeakReach; ++k) {
    away[count++] = before[k - 1];
    away[count++] = after[k - 1];
  }
  std::sort(away.begin(), away.end());
  const double level = (away[count / 2 - 1] + away[count / 2]) / 2;
  const double tip = w.y[t] - level, left = (before[0] - level) * tip, right = (after[0] - level) * tip;
  return (neighbours == Raised::on_both_sides ? std::min(left, right) : (left + right) / 2) > kShoulder * tip * tip;
}

// Are most samples set aside tips of peaks?
bool are_peaks(const Work& w, Raised neighbours = Raised::on_average) noexcept {
  std::size_t peaks = 0;
  for (std::size_t t = 0; t < w.n; ++t) peaks += w.test.outlier[t] != 0 && is_tip(w, t, neighbours);
  return 2 * peaks > w.test.outliers;
}

// Tips of peaks, and two samples in a row that agree, come back as they were where the series is smoothed as a walk.
void keep_peaks(Work& w) noexcept {
  if (w.cleaned > 0 || !are_peaks(w)) return;
  for (std::size_t t = 0; t < w.n; ++t) {
    if (w.test.outlier[t] == 0 || w.available[t] == 0 || !is_tip(w, t, Raised::on_average)) continue;
    w.test.outlier[t] = 0;
    --w.test.outliers;
    w.y[t] = w.mean[t] = (w.x[t] - w.centre) / w.scale;
    w.variance[t] = w.test.noise_variance;
  }
}

// Where no noise is found, what was set aside stays if there is much of it, or if it is peaks; and each sample that does not
// stand apart: in a burst of volatility some large steps take each other back.
void keep_signal(Work& w) noexcept {
  const bool few = static_cast<double>(w.test.outliers) <= kMostBadTicks * static_cast<double>(w.seen);
  if (w.test.outliers == 0) return;
  if (few && !are_peaks(w))
    keep_apart(w.y, w.available, w.n, w.test.outlier, w.r);  // the smoother is done with its variances
  else
    std::fill(w.test.outlier, w.test.outlier + w.n, 0.0);
  w.test.outliers = static_cast<std::size_t>(std::count(w.test.outlier, w.test.outlier + w.n, 1.0));
}

// Lets wavelets have their say about a series without gaps, bad ticks or heavy noise; adjusts what is expected. Where most
// prices repeat the one before, what they see is no Gaussian noise: Stein's risk of leaving ticks as they are is below zero.
void hear_wavelets(Work& w, const PriceModel& model, const WaveletContest& contest, WaveletContestScratch& scratch) {
  if (w.repeats || w.seen < w.n || w.cleaned > 0 || !(w.test.believed > 0) || !WaveletContest::is_for(w.n)) return;
  const bool light = !model.parts.noise && w.test.outliers == 0 && w.test.believed >= kBelieved;
  if (!light && !are_peaks(w)) return;
  double left = 0;
  for (std::size_t t = 0; t < w.n; ++t) left += w.variance[t];
  const double risk = left / static_cast<double>(w.n) / w.test.noise_variance;
  // A few bad ticks in a row, which wavelets keep on any walk, are not held against the smoother, and wavelets must be
  // certain beside them; peaks are.
  constexpr double kCertain = 1 - 1e-6;
  double *const left_out = w.q, *const average = w.step_square;  // free by now
  const bool in_doubt = !light && !are_peaks(w, Raised::on_both_sides);
  for (std::size_t t = 0; t < w.n; ++t) left_out[t] = in_doubt ? w.test.outlier[t] : 0.0;
  const ContestResult result =
      contest.run(w.y, w.n, {w.mean, left_out, std::sqrt(w.test.noise_variance), risk}, average, scratch);
  if (result.share <= 0 || (in_doubt && result.share < kCertain)) return;
  std::copy(average, average + w.n, w.mean);
  w.test.gain_offset_db += 10 * std::log10(risk / result.risk);
  if (result.share < 0.5) return;
  // Then the series is no walk, and what the walk's test expects of it has no bearing.
  w.wavelet_gain_db = -10 * std::log10(result.risk);
  w.report->level = result.level;
  w.test.gain_probability = std::max(w.test.gain_probability, result.share);
}

// Smoothing must pay without the bad ticks, which are cleaned either way; what is gained is told of the series as it came.
void decide(const Work& w, bool noisy, std::size_t bad_ticks, const PriceOptions& options) noexcept {
  PriceReport& report = *w.report;
  report.raw_sd = report.noise_sd;
  if (!noisy || report.gain_db < options.min_gain_db) report.level = 0;
  if (noisy && report.gain_db >= options.min_gain_db) {
    report.action = PriceAction::denoised;
    const double bad_db = predicted_gain_db(w, true) - predicted_gain_db(w, false);
    report.gain_db += bad_db;
    report.raw_sd *= std::pow(10, bad_db / 20);
  } else if (bad_ticks > 0) {
    report.action = PriceAction::cleaned;
  }
}

// Fits, tests and smooths series of one length; their reports and means are then what is known of them. What the tests
// found lives in the scratch from place `first` on.
void work_on(const std::vector<Work*>& works, const PriceOptions& options, PriceScratch& scratch, std::size_t first) {
  const std::size_t count = works.size();
  std::vector<PriceSeries> series;
  for (const Work* w : works) series.push_back({w->y, w->available, w->spike, w->n});
  std::vector<PriceFit> fits(count);
  fit_price_models(series.data(), count, fits.data(), scratch.models.data() + first);
  std::vector<PriceModel> models;
  // On coarse ticks a scale of next to nothing would make the prices that repeat as likely as can be.
  for (std::size_t k = 0; k < count; ++k) models.push_back(works[k]->repeats ? fits[k].gaussian : fits[k].best);
  std::vector<NoiseTest> tests(count);
  test_noise(series.data(), models.data(), count, tests.data(), scratch.tests.data() + first);
  for (std::size_t k = 0; k < count; ++k) works[k]->test = tests[k];
  smooth_all(works, models.data());
  for (std::size_t k = 0; k < count; ++k) {
    check_stop();
    Work* const w = works[k];
    PriceReport& report = *w->report;
    if (!(w->test.believed > 0)) keep_signal(*w);
    const bool on_ticks = w->test.believed > 0 && smooth_ticks(*w, fits[k]);
    if (w->test.believed > 0 && !on_ticks) w->doubt = doubt(*w, models[k]);
    if (options.contest && !on_ticks) hear_wavelets(*w, models[k], *options.contest, scratch.contest);
    if (w->test.believed > 0 && !on_ticks && !(w->wavelet_gain_db > 0)) keep_peaks(*w);
    describe(*w);
    report.gain_db = w->test.believed > 0 ? std::max(0.0, predicted_gain_db(*w, false) + w->test.gain_offset_db) : 0.0;
    report.gain_db = std::max(report.gain_db, w->wavelet_gain_db);
    decide(*w, report.gain_db > 0, w->test.outliers + w->cleaned, options);
  }
}

// The local level model as it stands: exact maximum likelihood, smoothed whatever it finds, unless the default method
// only asks what there is.
void work_plainly(const std::vector<Work*>& works, const PriceOptions& options) {
  std::vector<LevelData> data;
  std::vector<LevelFit> fits(works.size());
  for (const Work* w : works) data.push_back({w->y, w->available, nullptr, nullptr, w->n});
  fit_local_level(data.data(), fits.data(), works.size());
  std::vector<LocalLevel> problems;
  std::vector<Smoothed> outputs;
  for (std::size_t k = 0; k < works.size(); ++k) {
    Work& w = *works[k];
    std::fill(w.q, w.q + w.n, fits[k].step_variance);
    std::fill(w.r, w.r + w.n, fits[k].noise_variance);
    problems.push_back({w.y, w.available, w.q, w.r, w.n});
    outputs.push_back({w.mean, w.variance, w.step_square});
  }
  smooth(problems.data(), outputs.data(), works.size(), nullptr);
  for (std::size_t k = 0; k < works.size(); ++k) {
    Work& w = *works[k];
    PriceReport& report = *w.report;
    w.test.outlier = w.step_square;  // none is set aside
    std::fill(w.test.outlier, w.test.outlier + w.n, 0.0);
    const double ratio = fits[k].noise_variance / fits[k].step_variance;
    report.noise_sd = std::sqrt(fits[k].noise_variance) * w.scale;
    report.step_sd = std::sqrt(fits[k].step_variance) * w.scale;
    if (options.method == PriceMethod::automatic) {
      if (w.cleaned > 0) report.action = PriceAction::cleaned;
      continue;
    }
    report.gain_db = predicted_gain_db(w, false);
    report.causal_gain_db = causal_gain_db(ratio);
    report.gain_probability = std::numeric_limits<double>::quiet_NaN();  // it does not ask
    decide(w, ratio > kNoNoise, w.cleaned, options);
  }
}

// True of a series that is constant but for its bad ticks: there is nothing else to be known of it.
bool clean_constant(Work& w) {
  if (w.cleaned == 0 || std::any_of(w.y, w.y + w.n, [&](double v) { return v != w.y[0]; })) return false;
  std::copy(w.y, w.y + w.n, w.mean);
  w.test.outlier = w.step_square;  // none is set aside
  std::fill(w.test.outlier, w.test.outlier + w.n, 0.0);
  w.report->action = PriceAction::cleaned;
  return true;
}

}  // namespace

void denoise_prices(const double* const* x, std::size_t n, std::size_t count, double* const* y,
                    const PriceOptions& options, PriceReport* reports) {
  auto& scratch = of_this_thread<PriceScratch>();
  const std::size_t least = options.method == PriceMethod::automatic ? kLeastSamples : kLeastKalman;
  std::array<Work, kPriceBundle> works;
  std::array<bool, kPriceBundle> waiting{};
  for (std::size_t k = 0; k < count; ++k) {
    check_stop();
    reports[k] = PriceReport{};
    reports[k].gain_db = reports[k].causal_gain_db = reports[k].gain_probability = 0;
    works[k].report = &reports[k];
    waiting[k] = prepare(x[k], n, least, options.precision, scratch.series[k], works[k]);
    if (waiting[k] && options.method == PriceMethod::automatic) leave_ends(least, works[k]);
    if (waiting[k] && (options.method == PriceMethod::automatic || options.clean_spikes))
      find_spikes(x[k], n, works[k], options.clean_spikes, scratch.series[k]);
    if (y[k] != x[k]) std::copy(x[k], x[k] + n, y[k]);
  }
  for (std::size_t k = 0; k < count; ++k)
    if (waiting[k] && clean_constant(works[k])) waiting[k] = false;
  // Bundles are of one length, which missing ends may change; what one found stays until all is written.
  std::size_t placed = 0;
  for (std::size_t first = 0; first < count; ++first) {
    if (!waiting[first]) continue;
    std::vector<Work*> same;
    for (std::size_t k = first; k < count; ++k) {
      if (!waiting[k] || works[k].n != works[first].n || works[k].still != works[first].still) continue;
      same.push_back(&works[k]);
      waiting[k] = false;
    }
    if (options.method == PriceMethod::automatic && !works[first].still)
      work_on(same, options, scratch, placed);
    else
      work_plainly(same, options);
    placed += same.size();
  }
  for (std::size_t k = 0; k < count; ++k)
    if (reports[k].action != PriceAction::passthrough) write(works[k], y[k], n);
}

PriceReport price_report(const double* x, std::size_t n, double precision, double* scratch) {
  PriceOptions options;
  options.precision = precision;
  PriceReport report;
  denoise_prices(&x, n, 1, &scratch, options, &report);
  return report;
}

}  // namespace rpsd
