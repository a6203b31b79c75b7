// SPDX-License-Identifier: MIT
#include "rpsd/stop.hpp"

#include "thread_memory.hpp"

namespace rpsd {
namespace {

struct Watched {
  StopSource source;
  unsigned looks = 0;
};

}  // namespace

StopSource stop_source() noexcept { return of_this_thread<Watched>().source; }

void set_stop_source(const StopSource& source) noexcept { of_this_thread<Watched>().source = source; }

void check_stop() {
  auto& here = of_this_thread<Watched>();
  const StopSource& source = here.source;
  if (source.told != nullptr && source.told->is_set()) throw Stopped();
  if (source.beside != nullptr && source.beside->is_set()) throw Stopped();
  if (source.poll != nullptr && ++here.looks % kPollEvery == 0) source.poll();
}

}  // namespace rpsd
