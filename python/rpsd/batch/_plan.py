# SPDX-License-Identifier: MIT
"""Which files a batch reads, and what each of them is called in the output."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rpsd._errors import ConfigError, InputError, RpsdError
from rpsd._text import encodable, shown
from rpsd.batch._store import absolute, is_url, join, list_objects, real, taken_from
from rpsd.batch.files import ARROW_SUFFIXES, PARQUET_SUFFIXES

#: Ends of the names of files that a batch reads.
SUFFIXES: Final = (".csv", ".csv.gz", ".csv.zst", *PARQUET_SUFFIXES, *ARROW_SUFFIXES)
#: Folder of the output that holds everything but outputs.
OWN: Final = "_rpsd"
# As Spark, Hive and Arrow do: markers, logs and checkpoints are no data.
_HIDDEN: Final = (".", "_")


class Source(NamedTuple):
    """One input file.

    Attributes
    ----------
    name : str
        Its path relative to the folder that was given, with slashes: also where its output is.
    path : str
        Where it is.
    size : int
        Its bytes; 0 where nobody could tell, as of a link that leads nowhere: reading it will tell why.
    inode : tuple of int
        Device and number of the file, which no other has.
    given : str
        The input that it was found in: a folder above it, or itself.
    refused : str
        Why it is not read at all, else "". Its name and path are then escaped. A folder that cannot be read,
        whose name ends with a slash, stands for the files in it.
    below : str
        Its path relative to the folder that was given, where its name is another, else "".
    """

    name: str
    path: str
    size: int
    inode: tuple[int, int] = (0, 0)
    given: str = ""
    refused: str = ""
    below: str = ""


def find_inputs(inputs: Sequence[str], output: str, data_dir: str = ".") -> list[Source]:
    """Return the files that the inputs stand for, sorted by name.

    Parameters
    ----------
    inputs : sequence of str
        Files, and folders that are searched with all below them; relative ones are taken from `data_dir`.
        URLs of object stores likewise.
        Left out of folders: names that begin with a dot or an underscore, and those without a known suffix.
    output : str
        The folder that the outputs will be in.
    data_dir : str
        Data directory (RPSD_DATA_DIR).

    Raises
    ------
    ConfigError
        Where the output is a file, in an input or in place of one, two inputs have one name, or an input
        has a name of another kind.
    InputError
        Where there is no input.
    """
    _check_output(output)
    found: dict[str, Source] = {}
    for given in inputs:
        if given in ("", "-"):
            raise ConfigError(f'IN must name files or folders, got "{given}"')
        full = taken_from(data_dir, given)
        above = encodable(absolute(full))
        for bare in _files_of(full, output, given, data_dir):
            source = bare._replace(given=above)
            other = found.setdefault(source.name, source)
            if source.name.endswith("/") and _differ(other, source):
                # Two closed folders of one name become no file, and each is told of.
                source = source._replace(name=source.path.strip("/") + "/", below=source.name)
                other = found.setdefault(source.name, source)
            if _differ(other, source):
                raise ConfigError(
                    f"{shown(other.path)} and {shown(source.path)} would both become "
                    f"{shown(join(output, source.name))}; give a folder that holds both"
                )
    if not found:
        where, ends = ", ".join(map(shown, inputs)), ", ".join(sorted(SUFFIXES))
        raise InputError(f"no input: {where} has no file that ends in {ends}")
    _check_replaces_none(found, output)
    return [found[name] for name in sorted(found)]


def _differ(one: Source, other: Source) -> bool:
    """Tell whether two sources are in two places; nothing is looked up where they are one object."""
    return one is not other and real(one.path) != real(other.path)


def share_of(sources: Sequence[Source], shard: tuple[int, int] | None) -> list[Source]:
    """Return the part k of n (from 1) of the sources, every n-th of them, or all."""
    return list(sources) if shard is None else list(sources[shard[0] - 1 :: shard[1]])


def suffix_of(name: str) -> str | None:
    """Return the end of a name that tells its format, in lower case, or None where it tells none."""
    lower = name.lower()
    return next((suffix for suffix in SUFFIXES if lower.endswith(suffix) and lower != suffix), None)


def target_of(output: str, name: str) -> str:
    """Return where the output of an input of that name is."""
    return join(output, name)


def files_below(folder: str, closed: list[OSError] | None = None) -> Iterator[tuple[str, str]]:
    """Yield name, relative to the folder with slashes, and path of each data file below it.

    Why a folder below it cannot be read is added to `closed`; RpsdError without that, and for the first one.
    """
    seen = {os.path.realpath(folder)}

    def note(error: OSError) -> None:
        if closed is None or error.filename == folder:
            _refuse(error)
        elif not isinstance(error, FileNotFoundError):
            closed.append(error)

    for place, folders, files in os.walk(folder, followlinks=True, onerror=note):
        kept = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(place, name))
            # A link to a folder above would go round for ever.
            if not name.startswith(_HIDDEN) and real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        for name in sorted(files):
            if suffix_of(name) is not None and not name.startswith(_HIDDEN):
                path = os.path.join(place, name)
                yield Path(os.path.relpath(path, folder)).as_posix(), path


def _files_of(full: str, output: str, given: str, data_dir: str) -> Iterator[Source]:
    if is_url(full):
        yield from _objects_of(full, output)
        return
    if os.path.isdir(full):
        _check_apart(full, output)
        closed: list[OSError] = []
        for name, path in files_below(full, closed):
            yield _source(name, path)
        for error in closed:
            name = Path(os.path.relpath(error.filename, full)).as_posix()
            why = f"the folder cannot be read: {error.strerror}"
            yield Source(encodable(f"{name}/"), encodable(os.path.abspath(error.filename)), 0, refused=why)
        return
    if suffix_of(full) is None:
        if os.path.exists(full):
            raise ConfigError(f"{shown(full)} must end in one of {', '.join(sorted(SUFFIXES))}")
        where = "" if full == os.path.join(".", given) else f' (in the data directory "{data_dir}")'
        raise InputError(f"cannot read {shown(full)}: no such file or folder{where}")
    yield _source(os.path.basename(full), full, given=True)


def _objects_of(url: str, output: str) -> Iterator[Source]:
    for name, place, size in list_objects(url):
        if not name:
            last = place.rpartition("/")[2]
            if suffix_of(last) is None:
                raise ConfigError(f"{shown(url)} must end in one of {', '.join(sorted(SUFFIXES))}")
            yield Source(last, place, size)
            continue
        _check_apart(url, output)
        parts = name.split("/")
        if suffix_of(parts[-1]) is not None and not any(part.startswith(_HIDDEN) for part in parts):
            yield Source(name, place, size)


def _check_apart(folder: str, output: str) -> None:
    if is_inside(output, folder):
        raise ConfigError(
            f"the output {shown(output)} must not be in the input {shown(folder)}, where the next run "
            "would find it; name a folder beside it"
        )


def _source(name: str, path: str, *, given: bool = False) -> Source:
    place = os.path.abspath(path)
    known = Source(encodable(name), encodable(place), 0)
    if known.path != place:
        known = known._replace(refused="its path must be UTF-8; rename the file, or the folder that is not")
    try:
        stat = os.stat(path)
    except OSError as error:
        # A name that was typed may be wrong; what a folder or a pattern of the shell had is one bad file.
        if given and not os.path.lexists(path):
            raise InputError(f"cannot read {shown(path)}: {error.strerror}") from None
        return known
    return known._replace(size=stat.st_size, inode=(stat.st_dev, stat.st_ino))


def check_encodable(path: str, option: str) -> None:
    """Raise ConfigError where a path to be written is not UTF-8, as everything that tells of it is."""
    place = path if is_url(path) else os.path.abspath(path)
    if encodable(place) != place:
        raise ConfigError(f"{option} must be a path in UTF-8, got {shown(place)}")


def _check_output(output: str) -> None:
    if output in ("", "-"):
        raise ConfigError(f'-o must name a folder, got "{output}"')
    if is_url(output):
        absolute(output)
    elif os.path.lexists(output) and not os.path.isdir(output):
        raise ConfigError(f"-o must name a folder, got the file {shown(output)}")


def _check_replaces_none(found: dict[str, Source], output: str) -> None:
    """Raise ConfigError where an output would be written in place of an input."""
    inputs = {source.path for source in found.values()} if is_url(output) else set()
    by_inode: dict[tuple[int, int], list[Source]] = {}
    for source in found.values():
        by_inode.setdefault(source.inode, []).append(source)
    for name in found:
        target = target_of(output, name)
        if is_url(target) and real(target) in inputs:
            raise ConfigError(f"the output {shown(target)} would replace an input; name another folder")
        try:
            stat = os.stat(target)
        except OSError:
            continue
        # A hard link is one file under two names, of which only one would be replaced.
        others = by_inode.get((stat.st_dev, stat.st_ino), [])
        if os.path.realpath(target) in {os.path.realpath(other.path) for other in others}:
            raise ConfigError(f"the output {shown(target)} would replace an input; name another folder")


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a path is the folder or below it, links followed."""
    place, above = real(path), real(folder)
    if is_url(place) or is_url(above):
        return place == above or place.startswith(f"{above.rstrip('/')}/")
    return place == above or os.path.commonpath([place, above]) == above


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):  # a folder that was removed while others were looked through
        return
    raise RpsdError(f"cannot read {error.filename}: {error.strerror}")
