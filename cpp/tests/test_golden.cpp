// SPDX-License-Identifier: MIT
// Paths of + - * / and square roots alone give the same bits on every system, processor, instruction set and number
// of threads. `test_golden FILE` compares their hashes with those in FILE; `test_golden --print` prints them, and
// golden.txt holds what it printed; only a change that means to changes it.
//
// To extend: add a function of the type and the number of threads that appends to Hashes, and call it in all_paths.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "check.hpp"
#include "rpsd/cpu.hpp"
#include "rpsd/denoise.hpp"
#include "rpsd/fir.hpp"
#include "rpsd/modwt.hpp"
#include "rpsd/wavelet.hpp"

namespace {

using Strings = std::vector<std::string>;
using Hashes = std::map<std::string, std::uint64_t>;

constexpr int kSkipped = 77;

const Strings kBoundaries = {"zero",          "constant",      "symmetric",   "reflect",      "periodic",
                             "smooth",        "antisymmetric", "antireflect", "periodization"};
// Beyond kLongest samples one series: it is cut into tiles and lends them to the threads.
constexpr std::size_t kLengths[] = {1, 2, 3, 7, 16, 101, 1000, 4097, 20'011, 65'537};
constexpr std::size_t kLongest = 5000, kRows = 5;
constexpr std::size_t rows_of(std::size_t n) { return n > kLongest ? 1 : kRows; }

// FNV-1a (Fowler, Noll & Vo) over the little-endian bytes.
class Hash {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    add_bits(values.size(), 8);
    for (const T v : values) add_number(v);
  }
  void add_number(double v) {
    std::uint64_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    add_bits(bits, 8);
  }
  void add_number(float v) {
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    add_bits(bits, 4);
  }
  std::uint64_t value() const { return state_; }

 private:
  void add_bits(std::uint64_t bits, int bytes) {
    for (int k = 0; k < bytes; ++k) state_ = (state_ ^ (bits >> (8 * k) & 0xFF)) * 0x100000001B3ull;
  }
  std::uint64_t state_ = 0xCBF29CE484222325ull;
};

// splitmix64 (Steele, Lea & Flood 2014), as multiples of 2^-20 in [-1, 1).
template <class T = double>
std::vector<T> noise(std::size_t n, std::uint64_t seed) {
  std::vector<T> x(n);
  std::uint64_t state = seed << 32;
  for (auto& v : x) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    v = static_cast<T>(static_cast<double>(z >> 43) / 1048576 - 1);
  }
  return x;
}

// Random walks about 100, on a grid that float holds too.
template <class T>
std::vector<T> prices(std::size_t rows, std::size_t n) {
  std::vector<T> x(rows * n);
  const auto steps = noise(rows * n, 1);
  for (std::size_t r = 0; r < rows; ++r) {
    double price = 100;
    for (std::size_t i = 0; i < n; ++i) {
      price += std::floor(steps[r * n + i] * 128) / 1024;
      x[r * n + i] = static_cast<T>(price);
    }
  }
  return x;
}

rpsd::FilterBank orthogonal(const std::vector<double>& rec_lo) {
  rpsd::FilterBank bank;
  bank.rec_lo = rec_lo;
  bank.dec_lo.assign(rec_lo.rbegin(), rec_lo.rend());
  for (std::size_t k = 0; k < rec_lo.size(); ++k)
    bank.rec_hi.push_back(k % 2 == 0 ? bank.dec_lo[k] : -bank.dec_lo[k]);
  bank.dec_hi.assign(bank.rec_hi.rbegin(), bank.rec_hi.rend());
  return bank;
}

struct NamedBank {
  std::string name;
  rpsd::FilterBank bank;
};

// Daubechies (1992): section 6.4 and, for four vanishing moments, table 6.1; and filters that share nothing, longer
// than those of usual wavelets.
std::vector<NamedBank> banks() {
  const double half = std::sqrt(0.5), r = std::sqrt(3.0), s = 4 * std::sqrt(2.0);
  auto any = [](std::uint64_t seed) {
    auto taps = noise(24, seed);
    for (double& v : taps) v /= 4;
    return taps;
  };
  return {{"haar", orthogonal({half, half})},
          {"db2", orthogonal({(1 + r) / s, (3 + r) / s, (3 - r) / s, (1 - r) / s})},
          {"db4", orthogonal({.2303778133088964, .7148465705529154, .6308807679298587, -.0279837694168599,
                              -.1870348117190931, .0308413818355607, .0328830116668852, -.0105974017850690})},
          {"any24", {any(11), any(12), any(13), any(14)}}};
}

template <class T>
struct TypeName;
template <>
struct TypeName<double> {
  static constexpr const char* value = " float64";
};
template <>
struct TypeName<float> {
  static constexpr const char* value = " float32";
};

template <class T>
void add_transforms(int threads, Hashes& hashes) {
  constexpr int kLevel = 4;
  for (const auto& [name, bank] : banks())
    for (const auto& boundary : kBoundaries) {
      const rpsd::Transform<T> transform(bank, rpsd::parse_boundary(boundary));
      Hash forward, inverse;
      for (const std::size_t n : kLengths) {
        const std::size_t rows = rows_of(n);
        const auto x = prices<T>(rows, n);
        auto lengths = rpsd::level_lengths(transform, n, kLevel);
        lengths.push_back(lengths.back());
        std::reverse(lengths.begin(), lengths.end());
        std::vector<std::vector<T>> memory;
        for (const std::size_t m : lengths) memory.emplace_back(rows * m);
        std::vector<rpsd::Batch<T>> out;
        std::vector<rpsd::Batch<const T>> in;
        for (std::size_t k = 0; k < lengths.size(); ++k) {
          out.push_back({memory[k].data(), rows, lengths[k], lengths[k]});
          in.push_back({memory[k].data(), rows, lengths[k], lengths[k]});
        }
        rpsd::wavedec<T>(transform, {x.data(), rows, n, n}, kLevel, out, threads);
        for (const auto& values : memory) forward.add(values);
        const std::size_t length = rpsd::waverec_length(transform, lengths);
        std::vector<T> y(rows * length);
        rpsd::waverec<T>(transform, in, {y.data(), rows, length, length}, threads);
        inverse.add(y);
      }
      const std::string of = " " + name + " " + boundary + TypeName<T>::value;
      hashes["wavedec" + of] = forward.value();
      hashes["waverec" + of] = inverse.value();
    }
}

// The inverse is defined for what orthogonal banks give.
template <class T>
void add_modwts(int threads, Hashes& hashes) {
  constexpr int kLevel = 3;
  for (const auto& [name, bank] : banks()) {
    if (name == "any24") continue;
    for (const char* word : {"periodic", "symmetric"}) {
      const auto boundary = rpsd::parse_modwt_boundary(word);
      Hash forward, inverse;
      for (const std::size_t n : kLengths) {
        const std::size_t rows = rows_of(n), all = rows * (kLevel + 1);
        const auto x = prices<T>(rows, n);
        std::vector<T> coefficients(all * n), y(rows * n);
        rpsd::modwt<T>(bank, boundary, kLevel, {x.data(), rows, n, n}, {coefficients.data(), all, n, n}, threads);
        forward.add(coefficients);
        rpsd::imodwt<T>(bank, boundary, kLevel, {coefficients.data(), all, n, n}, {y.data(), rows, n, n}, threads);
        inverse.add(y);
      }
      const std::string of = " " + name + " " + word + TypeName<T>::value;
      hashes["modwt" + of] = forward.value();
      hashes["imodwt" + of] = inverse.value();
    }
  }
}

// Taps without symmetry, and mirrored.
template <class T>
void add_firs(int threads, Hashes& hashes) {
  constexpr std::size_t kMostProducts = 12'000'000;
  for (const char* mode : {"zero_phase", "causal", "same"})
    for (const std::size_t count : {1, 2, 5, 16, 65, 101, 501})
      for (const bool symmetric : {false, true}) {
        auto taps = noise(count, 2);
        for (double& v : taps) v /= static_cast<double>(count);
        if (symmetric) std::copy(taps.begin(), taps.begin() + static_cast<std::ptrdiff_t>(count / 2), taps.rbegin());
        const rpsd::Fir<T> fir(taps, rpsd::parse_fir_mode(mode));
        Hash hash;
        for (const std::size_t n : kLengths) {
          if (n * count > kMostProducts) continue;  // emulated processors are slow
          const std::size_t rows = rows_of(n);
          const auto x = prices<T>(rows, n);
          std::vector<T> y(rows * n);
          rpsd::fir_filter<T>(fir, {x.data(), rows, n, n}, {y.data(), rows, n, n}, threads);
          hash.add(y);
        }
        hashes[std::string("fir ") + mode + " " + std::to_string(count) + (symmetric ? " symmetric taps" : " taps") +
               TypeName<T>::value] = hash.value();
      }
}

// One chain on series of every length; change is applied to each sample.
template <class T, class Change>
std::uint64_t denoised(const rpsd::Options& options, int threads, Change change) {
  const rpsd::Denoiser<T> denoiser(options);
  Hash hash;
  for (const std::size_t n : kLengths) {
    const std::size_t rows = rows_of(n);
    auto x = prices<T>(rows, n);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = change(x[i], i);
    std::vector<T> y(rows * n);
    std::vector<rpsd::SeriesReport> reports(rows);
    denoiser({x.data(), rows, n, n}, {y.data(), rows, n, n}, reports.data(), threads);
    // A NaN has no bits that are the same everywhere.
    for (const auto& report : reports) hash.add_number(std::isnan(report.noise_sd) ? 0.0 : report.noise_sd);
    for (T& v : y) v = std::isnan(v) ? T(0) : v;
    hash.add(y);
  }
  return hash.value();
}

template <class T>
void add_denoisers(int threads, Hashes& hashes) {
  const auto as_is = [](T v, std::size_t) { return v; };
  const auto add = [&](const std::string& name, const rpsd::Options& options, auto change) {
    hashes["denoise " + name + TypeName<T>::value] = denoised<T>(options, threads, change);
  };
  const auto known = banks();
  rpsd::Options db4;
  db4.bank = known[2].bank;
  for (const char* mode : {"bayes", "universal"})
    for (const char* rule : {"soft", "hard", "garrote", "firm"})
      for (const char* noise : {"mad", "level", "given"}) {
        rpsd::Options options = db4;
        options.threshold_mode = rpsd::parse_threshold_mode(mode);
        options.threshold_rule = rpsd::parse_threshold_rule(rule);
        options.noise = rpsd::parse_noise(noise);
        options.noise_sd = 0.03125;
        add(std::string(mode) + " " + rule + " " + noise, options, as_is);
      }
  for (const auto& [name, bank] : known)
    for (const auto& boundary : kBoundaries) {
      rpsd::Options options;
      options.bank = bank;
      options.boundary = rpsd::parse_boundary(boundary);
      options.threshold_scale = 0.75;
      add(name + " " + boundary, options, as_is);
    }
  for (const char* noise : {"mad", "level", "given"})
    for (const auto boundary : {rpsd::Boundary::symmetric, rpsd::Boundary::periodic}) {
      rpsd::Options options = db4;
      options.transform = rpsd::TransformKind::modwt;
      options.boundary = boundary;
      options.noise = rpsd::parse_noise(noise);
      options.noise_sd = 0.03125;
      add(std::string("modwt ") + (boundary == rpsd::Boundary::periodic ? "periodic " : "symmetric ") + noise, options,
          as_is);
    }
  rpsd::Options filtered = db4;
  filtered.fir_taps = noise(101, 3);
  for (double& v : filtered.fir_taps) v /= 32;
  add("and fir", filtered, as_is);
  filtered.threshold_mode = rpsd::ThresholdMode::none;
  add("none but fir", filtered, as_is);
  add("gaps", db4, [](T v, std::size_t i) { return i % 11 == 3 || i % 97 < 5 ? static_cast<T>(NAN) : v; });
  // Units whose squares leave the range of numbers, down to numbers without full precision.
  const bool wide = sizeof(T) == 8;
  add("large units", db4, [&](T v, std::size_t) { return std::ldexp(v, wide ? 1000 : 110); });
  add("small units", db4, [&](T v, std::size_t) { return std::ldexp(v, wide ? -1060 : -140); });
}

Hashes all_paths(int threads) {
  Hashes hashes;
  add_transforms<double>(threads, hashes);
  add_transforms<float>(threads, hashes);
  add_modwts<double>(threads, hashes);
  add_modwts<float>(threads, hashes);
  add_firs<double>(threads, hashes);
  add_firs<float>(threads, hashes);
  add_denoisers<double>(threads, hashes);
  add_denoisers<float>(threads, hashes);
  return hashes;
}

// A line for each path: sixteen hexadecimal digits, a space, its name.
Hashes read(const char* file) {
  Hashes golden;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    golden[line.substr(std::min<std::size_t>(17, line.size()))] = std::strtoull(line.c_str(), nullptr, 16);
  }
  CHECK(!golden.empty());
  return golden;
}

void compare(const Hashes& golden, const Hashes& found, int threads) {
  for (const auto& [name, hash] : golden) {
    const auto path = found.find(name);
    if (path == found.end() || path->second != hash) {
      ++failure_count();
      std::fprintf(stderr, "%s, %d threads: %s\n", name.c_str(), threads,
                   path == found.end() ? "no such path" : "other bits than the golden ones");
    }
  }
  for (const auto& [name, hash] : found)
    if (golden.count(name) == 0) {
      ++failure_count();
      std::fprintf(stderr, "%s: no golden value (found %016llx)\n", name.c_str(),
                   static_cast<unsigned long long>(hash));
    }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: test_golden FILE | --print\n");
    return 2;
  }
  const char* const forced = std::getenv("RPSD_ISA");
  const auto isas = rpsd::supported_isas();
  if (forced != nullptr && std::find(isas.begin(), isas.end(), forced) == isas.end()) {
    std::printf("not run: this processor has no %s\n", forced);
    return kSkipped;
  }
  if (std::strcmp(arguments[1], "--print") == 0) {
    for (const auto& [name, hash] : all_paths(1))
      std::printf("%016llx %s\n", static_cast<unsigned long long>(hash), name.c_str());
    return 0;
  }
  const auto golden = read(arguments[1]);
  for (const int threads : {1, 3}) {
    const auto found = all_paths(threads);
    compare(golden, found, threads);
    std::printf("%zu paths on %d threads, instruction set %s\n", found.size(), threads, rpsd::active_kernels().isa);
  }
  return failed();
}
