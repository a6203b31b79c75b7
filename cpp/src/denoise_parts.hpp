// SPDX-License-Identifier: MIT
// What the denoiser does around its methods: units, bad ticks, one report for several sessions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>

#include "rpsd/cleaning.hpp"
#include "rpsd/denoise.hpp"

namespace rpsd {

// Where x[0] of a check lies, for its message.
struct Place {
  std::size_t row, rows, offset = 0;
};

[[noreturn]] inline void reject(const char* what, const Place& place, std::size_t position, const std::string& allowed) {
  const std::string where = (place.rows > 1 ? "series " + std::to_string(place.row) + ", " : std::string()) + "position " +
                            std::to_string(place.offset + position);
  throw std::invalid_argument(std::string("x has ") + what + " at " + where + "; allowed: " + allowed);
}

template <class T>
void check_samples(const Options& options, const T* x, std::size_t n, const Place& place) {
  const Gaps gaps = find_gaps(x, n);
  if (gaps.first_infinite < n)
    reject(x[gaps.first_infinite] > 0 ? "inf" : "-inf", place, gaps.first_infinite,
           "finite numbers, and NaN for a missing sample");
  if (gaps.missing > 0 && options.missing == Missing::raise)
    reject("NaN", place, gaps.first_missing, "finite numbers (missing=\"interpolate\" accepts NaN)");
}

// Prices <= 0 have no logarithm: with outliers="spike" they are bad ticks, if they are few.
template <class T>
void check_logarithms(const Options& options, const T* x, std::size_t n, const Place& place) {
  constexpr double kFew = 0.05;
  std::size_t first = n, count = 0, seen = 0;
  for (std::size_t i = 0; i < n; ++i) {
    seen += !std::isnan(x[i]);
    if (!(x[i] <= 0)) continue;
    if (count == 0) first = i;
    ++count;
  }
  if (count == 0) return;
  if (options.outliers == Outliers::none)
    reject("a value <= 0", place, first,
           "prices > 0 with space=\"log\" (or space=\"price\", or outliers=\"spike\", which takes it for a bad tick)");
  if (static_cast<double>(count) > kFew * static_cast<double>(seen))
    reject((std::to_string(count) + " values <= 0 of " + std::to_string(seen) + ", the first").c_str(), place, first,
           "at most one in twenty with space=\"log\" and outliers=\"spike\" (or space=\"price\")");
}

// A result beyond the largest number stays at it, as finite prices must not become infinite ones.
template <class T>
void rescale(T* x, std::size_t n, int exponent) noexcept {
  constexpr T most = std::numeric_limits<T>::max();
  if (exponent == 0) return;
  for (std::size_t i = 0; i < n; ++i) x[i] = std::clamp(std::ldexp(x[i], exponent), -most, most);
}

// The exponent of the power of two that brings prices whose squares, or those of their moves, leave the range of double
// into it; 0 for any ordinary series.
inline int price_exponent(const double* x, std::size_t n) noexcept {
  double peak = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (std::abs(x[i]) > peak) peak = std::abs(x[i]);
  return peak > 1e100 || (peak > 0 && peak < 1e-100) ? std::ilogb(peak) : 0;
}

// Bad ticks give way to the line between their neighbours. No NaN; returns how many there were.
template <class T>
std::size_t remove_spikes(T* x, std::size_t n, Buffer<double>& memory, Buffer<double>& selection) {
  if (n < 3) return 0;
  double *const y = memory.get(3 * n), *const spike = y + n;
  const int exponent = price_exponent(std::copy(x, x + n, y) - n, n);
  rescale(y, n, -exponent);
  mark_bad_ticks(y, nullptr, n, spike, spike + n, selection);
  std::size_t count = 0;
  for (std::size_t t = 0; t < n; ++t)
    if (spike[t] != 0) {
      x[t] = std::numeric_limits<T>::quiet_NaN();
      ++count;
    }
  if (count > 0) interpolate_missing(x, n);
  return count;
}

// One number for all sessions: squares by their samples, as the noise of each weighs by its length.
inline void merge(SeriesReport& all, const SeriesReport& part, double before, double samples) noexcept {
  const double u = before / (before + samples), v = samples / (before + samples);
  const auto weighed = [&](double p, double q) { return std::isnan(p) ? q : std::isnan(q) ? p : u * p + v * q; };
  const auto root = [&](double p, double q) { return std::sqrt(weighed(p * p, q * q)); };
  const auto gain = [&](double p, double q) {
    return -10 * std::log10(weighed(std::pow(10, -p / 10), std::pow(10, -q / 10)));
  };
  // Errors as they came and what is left of them add up: a session without noise weighs little, one with bad ticks much.
  PriceReport& price = all.price;
  const double a = std::isnan(price.raw_sd) ? 0 : price.raw_sd;
  const double b = std::isnan(part.price.raw_sd) ? 0 : part.price.raw_sd;
  const double larger = std::max(a, b);
  if (larger > 0) {  // in units of which the squares stay in range
    const double p = u * (a / larger) * (a / larger), q = v * (b / larger) * (b / larger);
    const double left = p * std::pow(10, -price.gain_db / 10) + q * std::pow(10, -part.price.gain_db / 10);
    price.gain_db = 10 * std::log10((p + q) / left);
    price.raw_sd = larger * std::sqrt(p + q);
  }
  all.noise_sd = root(all.noise_sd, part.noise_sd);
  all.level = std::max(all.level, part.level);
  all.missing += part.missing;
  all.changed |= part.changed;
  all.price.action = std::max(all.price.action, part.price.action);
  all.price.noise_sd = root(all.price.noise_sd, part.price.noise_sd);
  all.price.step_sd = root(all.price.step_sd, part.price.step_sd);
  all.price.causal_gain_db = gain(all.price.causal_gain_db, part.price.causal_gain_db);
  all.price.gain_probability = weighed(all.price.gain_probability, part.price.gain_probability);
}

}  // namespace rpsd
