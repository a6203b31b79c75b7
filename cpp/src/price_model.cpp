// SPDX-License-Identifier: MIT
#include "rpsd/price_model.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "rpsd/scale_mixture.hpp"
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

constexpr int kFirstIterations = 8;    // of each candidate, enough to compare them
constexpr int kMoreIterations = 12;    // of the one that wins
constexpr double kPriorCount = 10;     // samples' worth of belief that a step, or noise, is of the base scale
constexpr double kMixturePenalty = 4;  // nats a mixture has to gain
// Parts are tried where the innovations of the best model so far ask for them. On 140 series of the yardstick every mixture
// that was chosen had a kurtosis of more than 11 standard errors, every volatility at least 0.
constexpr double kLeastVolatilityZ = 0;
constexpr double kLeastKurtosisZ = 2.5;
constexpr double kLeastVariance = 1e-12;  // of the steps' variance: variances below count as this
// Memory: arrays of a model (volatility, q, r), of a smoothing in progress (mean, variance, step_square, scaled_square,
// ratio).
constexpr std::size_t kModelArrays = 3;
constexpr std::size_t kWorkArrays = 5;
constexpr std::size_t kAtOnce = 2;  // models of one series in progress
constexpr std::size_t kSlots = 1 + 3 + 2;   // Gaussian, the single parts, two for their sums

template <std::size_t N>
std::array<double, N> start_weights() noexcept {
  std::array<double, N> w{};
  double total = 0;
  for (std::size_t k = 1; k < N; ++k) total += std::ldexp(1.0, -static_cast<int>(k));
  w[0] = 0.9;
  for (std::size_t k = 1; k < N; ++k) w[k] = 0.1 * std::ldexp(1.0, -static_cast<int>(k)) / total;
  return w;
}

// Weights without those that hardly count, which would only cost time.
template <std::size_t N>
std::array<double, N> main_weights(const std::array<double, N>& weights) noexcept {
  std::array<double, N> w{};
  double total = 0;
  for (std::size_t k = 0; k < N; ++k) {
    if (weights[k] > 1e-4) w[k] = weights[k];
    total += w[k];
  }
  for (double& v : w) v /= total;
  return w;
}

// The arrays of one job: a model of a series on its way.
struct Job {
  const PriceSeries* series;
  PriceModel* model;
  double *mean, *variance, *step_square, *scaled_square, *ratio;
};

class Arena {
 public:
  Arena(PriceModelScratch& scratch, std::size_t n)
      : n_(n), base_(scratch.arrays.get((kSlots * kModelArrays + kAtOnce * kWorkArrays) * n)) {}

  void place(PriceModel& model, std::size_t slot) const noexcept {
    double* const at = base_ + slot * kModelArrays * n_;
    model.volatility = at;
    model.q = at + n_;
    model.r = at + 2 * n_;
  }

  Job job(const PriceSeries& series, PriceModel& model, std::size_t work) const noexcept {
    double* const at = base_ + (kSlots * kModelArrays + work * kWorkArrays) * n_;
    return {&series, &model, at, at + n_, at + 2 * n_, at + 3 * n_, at + 4 * n_};
  }

 private:
  std::size_t n_;
  double* base_;
};

// Shares of the scales with a belief in the first one: weights from sums of responsibilities.
template <std::size_t N>
std::array<double, N> weights_of(const double (&sums)[N]) noexcept {
  std::array<double, N> w{};
  double total = 0;
  for (std::size_t k = 0; k < N; ++k) total += sums[k];
  for (std::size_t k = 0; k < N; ++k) w[k] = (sums[k] + (k == 0 ? kPriorCount : 0)) / (total + kPriorCount);
  return w;
}

// sum over t in [begin, n) of f(t), in lanes that do not wait for each other.
template <class F>
double sum_of(std::size_t begin, std::size_t n, const F& f) noexcept {
  constexpr std::size_t kLanes = 8;
  double sums[kLanes] = {};
  std::size_t t = begin;
  for (; t + kLanes <= n; t += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) sums[k] += f(t + k);
  for (; t < n; ++t) sums[0] += f(t);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void update_noise(const Job& job) {
  PriceModel& m = *job.model;
  const PriceSeries& s = *job.series;
  const double least = kLeastVariance * m.step_variance;
  if (m.parts.noise) {
    NoiseSites sites{s.y, s.seen, job.mean, job.variance, s.n, least, m.noise_variance, {}, m.r};
    std::copy(m.noise_weights.begin(), m.noise_weights.end(), sites.weights);
    const NoiseUpdate update = update_noise_sites(sites);
    m.noise_variance = update.noise_variance;
    m.noise_weights = weights_of(update.responsibilities);
    return;
  }
  const double sum = sum_of(0, s.n, [&](std::size_t t) {
    const double e = s.y[t] - job.mean[t];
    return s.seen[t] * (e * e + std::max(job.variance[t], least));
  });
  m.noise_variance = sum / sum_of(0, s.n, [&](std::size_t t) { return s.seen[t]; });
  std::fill(m.r, m.r + s.n, m.noise_variance);
}

void update_steps(const Job& job) {
  PriceModel& m = *job.model;
  const std::size_t n = job.series->n;
  const double* u = job.step_square;
  if (m.parts.steps) {
    StepSites sites{job.mean, job.step_square, m.volatility, m.q, n, kLeastVariance * m.step_variance, m.step_variance,
                    {}, job.scaled_square, job.ratio};
    std::copy(m.step_weights.begin(), m.step_weights.end(), sites.weights);
    const StepUpdate update = update_step_sites(sites);
    m.step_variance = update.step_variance;
    m.step_weights = weights_of(update.responsibilities);
    u = job.scaled_square;
  } else {
    m.step_variance = sum_of(1, n, [&](std::size_t t) { return u[t] / m.volatility[t]; }) / static_cast<double>(n - 1);
    std::fill(job.ratio, job.ratio + n, 1.0);
  }
  if (m.parts.volatility) volatility_shape(u, n, m.step_variance, m.volatility);
  for (std::size_t t = 0; t < n; ++t) m.q[t] = m.step_variance * m.volatility[t] * job.ratio[t];
}

LocalLevel problem(const PriceSeries& series, const PriceModel& model) noexcept {
  return {series.y, series.seen, model.q, model.r, series.n};
}

// Collapsed EM: the scale of each step and of each sample's noise has a posterior given what the other samples say of
// it (its cavity), and q and r become the variances that give the same mean as that posterior (expectation propagation,
// Minka 2001, for the sites; EM for weights and variances).
void iterate(std::vector<Job>& jobs, int iterations) {
  std::vector<LocalLevel> problems(jobs.size());
  std::vector<Smoothed> outputs(jobs.size());
  for (int i = 0; i < iterations; ++i) {
    for (std::size_t k = 0; k < jobs.size(); ++k) {
      const Job& job = jobs[k];
      problems[k] = problem(*job.series, *job.model);
      outputs[k] = {job.mean, job.variance, job.step_square};
    }
    smooth(problems.data(), outputs.data(), jobs.size(), nullptr);
    for (const Job& job : jobs) {
      check_stop();
      update_noise(job);
      update_steps(job);
    }
  }
}

void start(const PriceSeries& series, const PriceModel& gaussian, ModelParts parts, PriceModel& model) {
  const std::size_t n = series.n;
  const double noise = std::max(gaussian.noise_variance, 0.02 * gaussian.step_variance);
  model.parts = parts;
  model.noise_variance = noise;
  model.step_variance = gaussian.step_variance;
  model.step_weights = parts.steps ? start_weights<kStepScales>() : gaussian.step_weights;
  model.noise_weights = parts.noise ? start_weights<kNoiseScales>() : gaussian.noise_weights;
  std::fill(model.volatility, model.volatility + n, 1.0);
  std::fill(model.q, model.q + n, model.step_variance);
  // What looks like a bad tick starts without weight.
  const double spike = parts.noise ? 1e4 * (noise + model.step_variance) : noise;
  for (std::size_t t = 0; t < n; ++t) model.r[t] = series.spike[t] != 0 ? spike : noise;
}

// The volatility costs its effective number m of parameters (n / (2 sqrt(pi) bandwidth) for a Gaussian kernel; with more
// noise the same kernel sees less of the steps) and 1.5 sqrt(m): what it may gain by chance.
double penalty(const PriceModel& model, std::size_t n) noexcept {
  double nats = kMixturePenalty * (static_cast<double>(model.parts.steps) + static_cast<double>(model.parts.noise));
  if (model.parts.volatility) {
    const double width = 2 * std::sqrt(3.141592653589793) * kVolatilityBandwidth;
    const double m = static_cast<double>(n) / width / std::cbrt(1 + 4 * model.noise_variance / model.step_variance);
    nats += m + 1.5 * std::sqrt(m);
  }
  return nats;
}

// The evidence of each job's model.
void weigh(const std::vector<Job>& jobs) {
  std::vector<ScaleMixture> mixtures(jobs.size());
  std::vector<std::array<double, kStepScales>> steps(jobs.size());
  std::vector<std::array<double, kNoiseScales>> noises(jobs.size());
  std::vector<double> evidence(jobs.size());
  for (std::size_t k = 0; k < jobs.size(); ++k) {
    check_stop();
    const Job& job = jobs[k];
    const PriceModel& m = *job.model;
    const std::size_t n = job.series->n;
    // The arrays of the smoothing are free now.
    double *const q = job.mean, *const r = job.variance;
    for (std::size_t t = 0; t < n; ++t) q[t] = m.step_variance * m.volatility[t];
    std::fill(r, r + n, m.noise_variance);
    steps[k] = main_weights(m.step_weights);
    noises[k] = main_weights(m.noise_weights);
    mixtures[k] = {{job.series->y, job.series->seen, q, r, n}, steps[k].data(), noises[k].data()};
  }
  mixture_log_likelihood(mixtures.data(), jobs.size(), evidence.data());
  for (std::size_t k = 0; k < jobs.size(); ++k)
    jobs[k].model->evidence = evidence[k] - penalty(*jobs[k].model, jobs[k].series->n);
}

// Everything about one series while its models are compared.
struct Contest {
  std::array<PriceModel, kSlots> models;
  std::size_t best = 0;
  ModelParts useful;  // parts of models that beat the Gaussian one

  bool allows(ModelParts p) const noexcept {
    return (!p.volatility || useful.volatility) && (!p.steps || useful.steps) && (!p.noise || useful.noise);
  }

  void judge(std::size_t slot) noexcept {
    const PriceModel& m = models[slot];
    if (m.evidence > models[0].evidence) {
      useful.volatility |= m.parts.volatility;
      useful.steps |= m.parts.steps;
      useful.noise |= m.parts.noise;
    }
    if (m.evidence > models[best].evidence) best = slot;
  }
};

// Exact maximum likelihood of both variances, without what looks like a bad tick.
void fit_gaussians(const PriceSeries* series, std::size_t count, std::vector<Contest>& contests,
                   const std::vector<Arena>& memory) {
  std::vector<LevelData> data(count);
  std::vector<LevelFit> fits(count);
  std::vector<Job> jobs;
  for (std::size_t k = 0; k < count; ++k) {
    PriceModel& model = contests[k].models[0];
    memory[k].place(model, 0);
    jobs.push_back(memory[k].job(series[k], model, 0));
    double* const clean = jobs[k].ratio;
    for (std::size_t t = 0; t < series[k].n; ++t) clean[t] = series[k].seen[t] * (1 - series[k].spike[t]);
    data[k] = {series[k].y, clean, nullptr, nullptr, series[k].n};
  }
  fit_local_level(data.data(), fits.data(), count);
  for (std::size_t k = 0; k < count; ++k) {
    PriceModel& model = contests[k].models[0];
    const std::size_t n = series[k].n;
    model.noise_variance = fits[k].noise_variance;
    model.step_variance = fits[k].step_variance;
    model.step_weights[0] = model.noise_weights[0] = 1;
    std::fill(model.volatility, model.volatility + n, 1.0);
    std::fill(model.q, model.q + n, model.step_variance);
    std::fill(model.r, model.r + n, model.noise_variance);
  }
  weigh(jobs);
}

}  // namespace

void fit_price_models(const PriceSeries* series, std::size_t count, PriceFit* fits, PriceModelScratch* scratch) {
  std::vector<Contest> contests(count);
  std::vector<Arena> memory;
  for (std::size_t k = 0; k < count; ++k) memory.emplace_back(scratch[k], series[k].n);
  fit_gaussians(series, count, contests, memory);

  std::vector<Job> jobs;
  std::vector<std::pair<std::size_t, std::size_t>> entries;  // series, slot
  const auto enter = [&](std::size_t k, std::size_t slot, std::size_t work, ModelParts parts) {
    PriceModel& model = contests[k].models[slot];
    memory[k].place(model, slot);
    start(series[k], contests[k].models[0], parts, model);
    jobs.push_back(memory[k].job(series[k], model, work));
    entries.emplace_back(k, slot);
  };
  const auto compete = [&] {
    if (!jobs.empty()) {
      iterate(jobs, kFirstIterations);
      weigh(jobs);
    }
    for (const auto& [k, slot] : entries) contests[k].judge(slot);
    jobs.clear();
    entries.clear();
  };

  constexpr ModelParts kVolatility{true, false, false}, kSteps{false, true, false}, kNoise{false, false, true};
  for (std::size_t k = 0; k < count; ++k) {
    Innovations& innovations = scratch[k].innovations;
    innovations.of(problem(series[k], contests[k].models[0]));
    if (innovations.volatility_z() > kLeastVolatilityZ) enter(k, 1, 0, kVolatility);
  }
  compete();
  for (std::size_t k = 0; k < count; ++k) {
    Innovations& innovations = scratch[k].innovations;
    innovations.of(problem(series[k], contests[k].models[contests[k].best]));
    if (innovations.kurtosis_z() <= kLeastKurtosisZ) continue;
    enter(k, 2, 0, kSteps);
    enter(k, 3, 1, kNoise);
  }
  compete();
  // A sum of parts only where each part is of use.
  for (const ModelParts sum : {ModelParts{true, true, false}, ModelParts{true, false, true},
                               ModelParts{false, true, true}, ModelParts{true, true, true}}) {
    for (std::size_t k = 0; k < count; ++k)
      if (contests[k].allows(sum)) enter(k, contests[k].best == 4 ? 5 : 4, 0, sum);
    compete();
  }

  for (std::size_t k = 0; k < count; ++k)
    if (contests[k].best != 0) jobs.push_back(memory[k].job(series[k], contests[k].models[contests[k].best], 0));
  if (!jobs.empty()) iterate(jobs, kMoreIterations);
  for (std::size_t k = 0; k < count; ++k) fits[k] = {contests[k].models[0], contests[k].models[contests[k].best]};
}

}  // namespace rpsd
