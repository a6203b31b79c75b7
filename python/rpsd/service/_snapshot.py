# SPDX-License-Identifier: MIT
"""The settings that one request sees from beginning to end."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rpsd import Config, Denoiser
from rpsd._sections import Service
from rpsd.service._cache import Cache
from rpsd.service._held import Held
from rpsd.service._notes import collected_notes

#: Denoisers that are kept; making one takes longer than a short series.
_KEPT: Final = 128
#: Bytes of the options of a denoiser that is kept.
_LONGEST: Final = 4_096


class Snapshot:
    """A configuration with what was built of it; any thread may ask.

    Parameters
    ----------
    config : Config
    held : Held, optional
        What the snapshot before it remembers.

    Attributes
    ----------
    config : Config
    service : Service
        Its section.
    held : Held
        Last good values of series.
    digest : str
        Tells two configurations apart, in answers and logs.
    cache : Cache
        Of its answers.

    Raises
    ------
    ConfigError
        Where no denoiser can be made of the configuration.
    """

    def __init__(self, config: Config, held: Held | None = None) -> None:
        self.config = config
        self.service: Service = config.service
        self.digest = hashlib.sha256(config.to_yaml().encode()).hexdigest()[:12]
        self.held = Held() if held is None else held
        self.cache = Cache(config.performance.cache_size)
        self._lock = threading.Lock()
        self._denoisers: OrderedDict[bytes, tuple[Denoiser, list[str]]] = OrderedDict()
        self.denoiser({}, None)

    def denoiser(
        self, options: Mapping[str, Any], guardrails: Mapping[str, Any] | None
    ) -> tuple[Denoiser, list[str]]:
        """Return the denoiser with options on top of the configuration, and what there is to say of them.

        Raises
        ------
        ConfigError, CausalityError
            For options that are not allowed, as `rpsd.Denoiser`.
        """
        key = msgspec.json.encode((options, guardrails), order="sorted")
        with self._lock:
            made = self._denoisers.get(key)
            if made is not None:
                self._denoisers.move_to_end(key)
                return made
        with collected_notes() as notes:
            made = Denoiser(self.config, guardrails=guardrails, **options), notes
        if len(key) > _LONGEST:  # a mask of breaks is as long as its series
            return made
        with self._lock:
            self._denoisers[key] = made
            if len(self._denoisers) > _KEPT:
                self._denoisers.popitem(last=False)
        return made
