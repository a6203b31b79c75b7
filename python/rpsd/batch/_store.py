# SPDX-License-Identifier: MIT
"""Object stores: what is read is fetched to a file of this machine, what is written is put from one.

An object appears whole or not at all, cannot be appended to or renamed, and nobody locks it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Self

from rpsd import ConfigError, InputError, RpsdError
from rpsd._text import one_line, shown

# Two letters at least: C:\ is a disk.
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Of a journal's growth an object is made no more often than that: a crash costs as much work at most.
_SECONDS: Final = 1.0
_STAGE: Final = re.compile("rpsd-[0-9a-f]{16}-")
_PART: Final = re.compile(r"(journal[^/]*\.jsonl)/([0-9]{8})-[0-9a-f]{8}")


def is_url(path: str) -> bool:
    """Tell whether a path is the address of an object store."""
    return _URL.match(path) is not None


def join(folder: str, name: str) -> str:
    """Return the place of a name with slashes below a folder."""
    if is_url(folder):
        return f"{folder.rstrip('/')}/{name}"
    return os.path.join(folder, *name.split("/"))


def need_local(path: str) -> None:
    """Raise InputError where a path that has to be one of this machine is a URL."""
    if is_url(path):
        raise InputError(f"{shown(path)} is in an object store; fetch it to a folder of this machine first")


def taken_from(folder: str, path: str) -> str:
    """Return a path as one who stands in the folder means it."""
    return path if is_url(path) else os.path.join(folder, path)


def absolute(path: str) -> str:
    """Return a path that means the same in every process."""
    return _system(path)[1] if is_url(path) else os.path.abspath(path)


def real(path: str) -> str:
    """Return the one path of what a path leads to, links followed."""
    return _system(path)[1] if is_url(path) else os.path.realpath(path)


def list_objects(url: str) -> list[tuple[str, str, int]]:
    """Return name relative to the URL, with slashes, URL and size of each object below it.

    The object itself, if it is one, has the name "".

    Raises
    ------
    InputError
        Where the store does not answer, or there is no such bucket.
    """
    system, whole = _system(url)
    with _reading(url):
        found = system.find(whole, detail=True)
    objects = []
    for key, facts in found.items():
        place = system.unstrip_protocol(key)
        if place == whole or place.startswith(f"{whole}/"):
            objects.append((place[len(whole) + 1 :], place, int(facts["size"] or 0)))
    return sorted(objects)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    """Open a file or an object to read its bytes."""
    text = os.fspath(path)
    if not is_url(text):
        with open(text, "rb") as file:
            yield file
        return
    system, whole = _system(text)
    with _reading(text), system.open(whole, "rb") as file:
        yield file


def remove(path: str) -> None:
    """Remove a file or an object; it may be gone."""
    if not is_url(path):
        Path(path).unlink(missing_ok=True)
        return
    system, whole = _system(path)
    with suppress(FileNotFoundError):
        system.rm_file(whole)


def put(source: str | os.PathLike[str], url: str) -> None:
    """Make an object of a file."""
    system, whole = _system(url)
    with _writing(url):
        system.put_file(os.fspath(source), whole)


class Stage:
    """Where this machine has input and output of one unit while it is done; on its own disks where they are.

    Parameters
    ----------
    source : str
        Path or URL of the input, fetched on entering.
    output : str
        Folder or URL of the outputs: what is in the folder `output` of the stage is put there by `put`.
    name : str
        Of the output below it.
    """

    def __init__(self, source: str, output: str, name: str) -> None:
        self.source = source
        self.output = output
        self._given = output
        self._name = name
        self._folder: str | None = None

    def __enter__(self) -> Self:
        if not (is_url(self.source) or is_url(self.output)):
            return self
        self._folder = tempfile.mkdtemp(prefix=_stage_prefix(self._given, self._name))
        try:
            if is_url(self.output):
                self.output = os.path.join(self._folder, "out")
            if is_url(self.source):
                target = os.path.join(self._folder, os.path.basename(self._name))
                system, whole = _system(self.source)
                with _reading(self.source):
                    system.get_file(whole, target)
                self.source = target
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def put(self) -> None:
        """Put what is in the stage in its place: the output, then what is told of it."""
        if self.output == self._given:
            return
        below = Path(self.output)
        names = [path.relative_to(below).as_posix() for path in below.rglob("*") if path.is_file()]
        for name in sorted(names, key=lambda name: name != self._name):
            put(below / name, join(self._given, name))


def remove_stages(output: str, names: Iterable[str]) -> None:
    """Remove what processes that were killed on this machine had fetched and made of units."""
    folder = tempfile.gettempdir()
    with suppress(OSError):
        stages = [entry for entry in os.listdir(folder) if _STAGE.match(entry)]
        prefixes = {_stage_prefix(output, name) for name in names} if stages else ()
        for entry in stages:
            if entry[: len("rpsd-") + 17] in prefixes:
                shutil.rmtree(os.path.join(folder, entry), ignore_errors=True)


class Mirror:
    """The folder in which a batch keeps its books: OUT, or for an object store one that stands for it.

    The journal is a file of this machine; what it has grown by is put beside the outputs, an object each
    second in which it grows, OUT/_rpsd/journal.jsonl/00000001-<token>.

    Parameters
    ----------
    output : str
        OUT.
    own : str
        Name of the folder in it that holds the books.
    journal : str
        Name of the journal of this run.
    resume : bool
        Fetch what is there; else the journals of this run are removed.
    whole : bool
        This run owns all journals and the manifest, not only its own.
    """

    def __init__(self, output: str, own: str, journal: str, *, resume: bool, whole: bool) -> None:
        self.root = output
        self._url = join(output, own) if is_url(output) else None
        self._own = own
        self._journal = journal
        self._resume = resume
        self._whole = whole
        self._sent = 0
        self._part = 0
        self._last = float("-inf")

    def __enter__(self) -> Self:
        if self._url is None:
            os.makedirs(os.path.join(self.root, self._own), exist_ok=True)
            return self
        self.root = tempfile.mkdtemp(prefix="rpsd-")
        os.mkdir(self._at(""))
        try:
            self._begin()
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._url is None:
            return
        try:
            self.keep(now=True)
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def keep(self, *, now: bool = False) -> None:
        """Put what the journal has grown by, if the last time is a while ago or it has to be now."""
        if self._url is None or not (now or time.monotonic() - self._last > _SECONDS):
            return
        with suppress(FileNotFoundError), open(self._at(self._journal), "rb") as file:
            file.seek(self._sent)
            lines = file.read()
            if lines:
                self._part += 1
                place = f"{self._url}/{self._journal}/{self._part:08d}-{os.urandom(4).hex()}"
                system, whole = _system(place)
                with _writing(place):
                    system.pipe_file(whole, lines)
                self._sent += len(lines)
        self._last = time.monotonic()

    def put(self, name: str) -> None:
        """Put one of the books in its place."""
        if self._url is not None:
            put(self._at(name), join(self._url, name))

    def remove_journals(self) -> None:
        """Remove the journals, which the manifest has taken the place of."""
        if self._url is None:
            return
        self._remove([url for name, url, _ in list_objects(self._url) if _PART.fullmatch(name)])

    def _begin(self) -> None:
        assert self._url is not None
        books = list_objects(self._url)
        parts = [(match[1], match[2], url) for name, url, _ in books if (match := _PART.fullmatch(name))]
        manifest = [url for name, url, _ in books if name == "manifest.parquet"]
        if not self._resume:
            own = [url for journal, _, url in parts if self._whole or journal == self._journal]
            self._remove(own + (manifest if self._whole else []))
            return
        for url in manifest:
            system, whole = _system(url)
            with _reading(url):
                system.get_file(whole, self._at("manifest.parquet"))
        for journal, number, url in sorted(parts):
            if self._whole or journal == self._journal:
                with opened(url) as part, open(self._at(journal), "ab") as file:
                    shutil.copyfileobj(part, file)
                if journal == self._journal:
                    self._sent = os.path.getsize(self._at(journal))
                    self._part = int(number)

    def _remove(self, urls: list[str]) -> None:
        if urls:
            system, _ = _system(urls[0])
            with _writing(urls[0]):
                system.rm([system._strip_protocol(url) for url in urls])

    def _at(self, name: str) -> str:
        return os.path.join(self.root, self._own, name)


def _stage_prefix(output: str, name: str) -> str:
    return f"rpsd-{hashlib.sha256(join(output, name).encode()).hexdigest()[:16]}-"


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the URL in the form that the system itself gives it."""
    protocol = url.partition("://")[0]
    if protocol in ("file", "local"):
        raise ConfigError(f"give the path itself, got {shown(url)}")
    try:
        import fsspec
    except ImportError:
        raise RpsdError(f'{shown(url)} needs fsspec: pip install "rpsd[remote]"') from None
    try:
        # Without a memory of listings, which other processes make untrue.
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise RpsdError(f'{shown(url)}: {error}; for s3://: pip install "rpsd[remote]"') from None
    except ValueError as error:
        raise ConfigError(f"{shown(url)}: {error}") from None
    return system, str(system.unstrip_protocol(path))


@contextmanager
def _reading(url: str) -> Iterator[None]:
    try:
        yield
    except RpsdError:
        raise
    except Exception as error:  # the clients of stores have errors of their own
        raise InputError(f"cannot read {shown(url)}: {_reason(error)}") from None


@contextmanager
def _writing(url: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RpsdError(f"cannot write {shown(url)}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such object or bucket"
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
