// SPDX-License-Identifier: MIT
#include "rpsd/stop.hpp"

namespace rpsd {
namespace {

struct Watched {
  StopSource source;
  unsigned looks = 0;
};

thread_local Watched watched;  // needs no destructor, so that emulated thread_local serves as well

}  // namespace

StopSource stop_source() noexcept { return watched.source; }

void set_stop_source(const StopSource& source) noexcept { watched.source = source; }

void check_stop() {
  Watched& here = watched;
  const StopSource& source = here.source;
  if (source.told != nullptr && source.told->is_set()) throw Stopped();
  if (source.beside != nullptr && source.beside->is_set()) throw Stopped();
  if (source.poll != nullptr && ++here.looks % kPollEvery == 0) source.poll();
}

}  // namespace rpsd
