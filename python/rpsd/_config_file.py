# SPDX-License-Identifier: MIT
"""One YAML configuration file read into checked settings that know the line they came from."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rpsd._errors import ConfigError, InputError
from rpsd._schema import NUMBER, Field, suggestion, unknown

if TYPE_CHECKING:
    import yaml

_LARGEST_FILE = 2**20  # bytes
_LONGEST_LIST = 64  # with the depth of two below it bounds what nested aliases can expand to
_TRUE = ("true", "yes", "on")
_YAML_TAG = "tag:yaml.org,2002:"


class Setting(NamedTuple):
    """A checked value and where it came from."""

    value: Any
    origin: str


#: settings by section and key
Layer = dict[tuple[str, str], Setting]
_Sections = Mapping[str, Mapping[str, Field]]


def read_file(path: Path, sections: _Sections) -> Layer:
    """Read a configuration file and check every key and value in it.

    Parameters
    ----------
    path : Path
        The file: UTF-8 YAML, one mapping of sections, at most 1 MiB.
    sections : mapping of str to mapping of str to Field
        The keys that exist, by section.

    Returns
    -------
    dict
        A `Setting` for each (section, key) that the file sets; an empty file sets none.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such file.
    ConfigError
        For anything else, naming the file, and where it has one the line and the key.
    """
    root = _compose(path, _read_text(path))
    layer: Layer = {}
    if root is None or _is_null(root):
        return layer
    for section, section_line, body in _pairs(
        path, root, f"the file must hold sections ({', '.join(sections)})"
    ):
        if section not in sections:
            raise ConfigError(f"{path}:{section_line}: {_unknown_section(section, sections)}")
        if _is_null(body):
            continue
        for key, line, node in _pairs(path, body, f"section {section} must hold keys and values"):
            field = sections[section].get(key)
            if field is None:
                raise ConfigError(f"{path}:{line}: {_unknown_key(section, key, sections)}")
            layer[section, key] = Setting(_checked(f"{path}:{line}", section, field, node), f"{path}:{line}")
    return layer


def read_grid(path: Path, options: Mapping[str, Field]) -> list[dict[str, list[Any]]]:
    """Read the values to try of each option: a mapping of option to list, or a list of such mappings.

    A value that is no list is a list of itself. Raises as `read_file` does.
    """
    import yaml

    root = _compose(path, _read_text(path))
    must = "the file must hold options, each with a list of values, or a list of such mappings"
    if root is None or _is_null(root):
        raise ConfigError(f"{path}: {must}, got nothing")
    grids = []
    for part in root.value if isinstance(root, yaml.SequenceNode) else [root]:
        grid = {}
        for name, line, node in _pairs(path, part, must):
            if name not in options:
                raise ConfigError(f"{path}:{line}: {unknown('option', name, options)}")
            items = node.value if isinstance(node, yaml.SequenceNode) else [node]
            grid[name] = [_checked(f"{path}:{line}", "grid", options[name], item) for item in items]
        grids.append(grid)
    return grids


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise ConfigError(
            f"{path}: the configuration file cannot be read: {error.strerror or error}"
        ) from None
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{path}: a configuration file must be at most {_LARGEST_FILE} bytes, got more")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise ConfigError(f"{path}:{line}: must be UTF-8 text, got the byte 0x{byte:02x}") from None


def _compose(path: Path, text: str) -> "yaml.Node | None":
    import yaml

    try:
        # The nodes are composed, not constructed: they know their lines, and an alias costs nothing.
        node: yaml.Node | None = yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem or error.context}{hint}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.reason}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not a configuration: nested too deeply") from None
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF" is no character
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    return node


@cache
def _loader() -> "type[yaml.SafeLoader]":
    """Return a loader that reads plain scalars as YAML 1.2 does, and yes, no, on and off as booleans.

    PyYAML's own rules are YAML 1.1: there 1e-1 is text, 010 is eight and 80:00 is 4800.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML reads it from the class

    for tag, pattern, first in (
        ("bool", r"(?i:true|false|yes|no|on|off)", "tTfFyYnNoO"),
        ("int", r"[-+]?[0-9]+", "-+0123456789"),
        ("float", rf"{NUMBER.pattern}|[-+]?\.inf|\.nan", "-+0123456789."),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ):
        Loader.add_implicit_resolver(_YAML_TAG + tag, re.compile(rf"(?:{pattern})\Z"), list(first))
    return Loader


def _pairs(path: Path, node: "yaml.Node", must: str) -> Iterator[tuple[str, int, "yaml.Node"]]:
    """Yield key, line and value node of a mapping; refuse anything else, and a key that comes twice."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: {must}, got {_node_shown(node)}")
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{path}:{line}: a key must be a word, got {_node_shown(key)}")
        if key.value in seen:
            raise ConfigError(f'{path}:{line}: "{key.value}" is set twice, first in line {seen[key.value]}')
        seen[key.value] = line
        yield key.value, line, value


def _checked(where: str, section: str, field: Field, node: "yaml.Node") -> Any:
    try:
        value = _value(node)
    except ValueError:
        got = _node_shown(node)
        raise ConfigError(f"{where}: {section}.{field.name} must be {field.allowed}, got {got}") from None
    try:
        return field.check(value)
    except (ConfigError, InputError) as error:
        raise ConfigError(f"{where}: {section}.{error}") from None


def _value(node: "yaml.Node", depth: int = 2) -> object:
    """Return a scalar, a short list of scalars or such lists, or a short mapping; else ValueError."""
    import yaml

    if isinstance(node, yaml.SequenceNode) and depth and len(node.value) <= _LONGEST_LIST:
        return [_value(item, depth - 1) for item in node.value]
    if isinstance(node, yaml.MappingNode) and depth and len(node.value) <= _LONGEST_LIST:
        return {str(_value(key, 0)): _value(value, 0) for key, value in node.value}
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError
    read: dict[str, Callable[[str], object]] = {
        "str": str,
        "int": int,
        "float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
        "bool": lambda text: text.lower() in _TRUE,
        "null": lambda text: None,
    }
    kind = node.tag.removeprefix(_YAML_TAG)
    if kind not in read:
        raise ValueError
    return read[kind](node.value)


def _is_null(node: "yaml.Node") -> bool:
    return bool(node.tag == _YAML_TAG + "null")


def _node_shown(node: "yaml.Node") -> str:
    names = {"map": "a mapping", "seq": "a list"}
    tag = node.tag.removeprefix(_YAML_TAG)
    if tag in names:
        return names[tag]
    standard = tag in ("str", "int", "float", "bool", "null")
    text = str(node.value)
    return f'"{text[:57]}"' if standard else f"the tag {node.tag}"


def _unknown_section(name: str, sections: _Sections) -> ConfigError:
    homes = [section for section, keys in sections.items() if name in keys]
    if homes:
        return ConfigError(f'unknown section "{name}"; {name} is a key of section {homes[0]}')
    return unknown("section", name, sections)


def _unknown_key(section: str, name: str, sections: _Sections) -> ConfigError:
    homes = [other for other, keys in sections.items() if name in keys]
    if homes:
        return ConfigError(f'unknown key "{section}.{name}"; {name} is a key of section {homes[0]}')
    near = suggestion(name, sections[section])
    known = ", ".join(sections[section]) or "none in this release"
    return ConfigError(f'unknown key "{section}.{name}"{near or f"; known: {known}"}')
