# SPDX-License-Identifier: MIT
"""The commands under one roof: errors become one line and an exit code, signals end cleanly."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Final, TextIO

import click

import rpsd
from rpsd._schema import suggestion
from rpsd._text import one_line
from rpsd.cli._log import logging_to_stderr

_FAILURE: Final = 1
_USAGE: Final = 2
_GUARDRAIL: Final = 3
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143


#: Each is what a module of its name holds, loaded when it is asked for: none waits for what the others need.
_COMMANDS: Final = (
    "denoise",
    "batch",
    "verify",
    "diff",
    "stream",
    "evaluate",
    "tune",
    "demo",
    "config",
    "serve",
    "healthcheck",
    "smoke",
    "compare",
    "doctor",
    "keys",
    "audit-log",
    "state",
    "backup",
    "restore",
)


class _Commands(click.Group):
    """The commands, not loaded yet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in _COMMANDS:
            ctx.fail(f"No such command {args[0]!r}{suggestion(args[0], _COMMANDS) or '.'}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"rpsd.cli._{name}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(rpsd.__version__, message="rpsd %(version)s")
def _cli() -> None:
    """Remove microstructure noise from price series.

    Data go to standard output, messages to standard error. Exit codes: 0 ok, 1 failure, 2 usage, 3 guardrail
    (policy raise), 4 partial (some series of a batch failed), 130 interrupted.
    """


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code."""
    if _stdout_is_closed():
        return _fail("standard output is closed", _FAILURE)
    with logging_to_stderr(), _ending_on_sigterm():
        try:
            code = _cli.main(args=argv, prog_name="rpsd", standalone_mode=False)
            # Here, not at exit, so that a full disk or a reader that left is seen.
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except click.exceptions.Exit as stop:
            return stop.exit_code
        except (click.Abort, KeyboardInterrupt):
            return _fail("interrupted", _INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            print(error.format_message(), file=sys.stderr)
            return _USAGE
        except click.UsageError as error:
            place = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            return _fail(f"{_usage_message(error)}{place}", _USAGE)
        except rpsd.ConfigError as error:
            return _fail(error, _USAGE)
        except rpsd.GuardrailError as error:
            return _fail(error, _GUARDRAIL)
        except rpsd.RpsdError as error:
            return _fail(error, _FAILURE)
        except BrokenPipeError:
            # The reader has left, as head does: nobody to tell. Newer releases of click see to it themselves.
            _discard_stdout()
            return _FAILURE
        except MemoryError:
            return _fail("out of memory", _FAILURE)
        except OSError as error:
            if error.filename is None:
                _discard_stdout()
            return _fail(f"{error.filename or 'standard output'}: {error.strerror}", _FAILURE)


def _stdout_is_closed() -> bool:
    """Tell it, and see to it that there is a standard error: Python has None for what the shell closed."""
    streams: tuple[TextIO | None, TextIO | None] = sys.stdout, sys.stderr
    if streams[1] is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    return streams[0] is None


def _discard_stdout() -> None:
    """Send what is still buffered nowhere: Python would try once more at exit, and complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_message(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        # The nearest one; click lists whatever has some letters in common.
        return (
            f'No such option "{error.option_name}"{suggestion(error.option_name, error.possibilities or ())}'
        )
    return error.format_message()


def _fail(error: object, code: int) -> int:
    if isinstance(error, Exception) and logging.getLogger("rpsd").isEnabledFor(logging.DEBUG):
        traceback.print_exception(error)
    text = one_line(str(error))
    print(f"rpsd: error: {text}" if code != _INTERRUPTED else f"rpsd: {text}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that temporaries are removed; the main thread only may ask."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit:
        if asked:  # within Ray it may have become one with another code
            raise SystemExit(_TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
