# SPDX-License-Identifier: MIT
"""How this copy of rpsd was built and what it runs on."""

from typing import Any

from rpsd import _core
from rpsd._mirror import raise_from_core

_PACKAGES = ("numpy", "scipy", "PyWavelets", "msgspec", "PyYAML")


def build_info() -> dict[str, Any]:
    """Return how this copy of rpsd was built and what it runs on.

    Returns
    -------
    dict
        version, git (the commit that was built, with ``-dirty`` where files differed from it;
        ``unknown`` where there was no repository), compiler, threads_backend (``openmp`` or
        ``std::thread``), isas (instruction sets that were built and run here, worst first), isa (the
        one in use: the best, or what the environment variable RPSD_ISA names), cpu_count (processors
        that this process may use), pointer_bits, python, platform, packages (versions of the run-time
        dependencies).

    Raises
    ------
    ConfigError
        Where RPSD_ISA names an instruction set that is unknown or cannot run here.

    Examples
    --------
    >>> import rpsd
    >>> rpsd.build_info()["isa"] in rpsd.build_info()["isas"]
    True
    """
    import platform
    from importlib import metadata  # slower to import than the rest of rpsd together

    try:
        info = _core.build_info()
    except ValueError as error:
        raise_from_core(error)
    return {
        **info,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
