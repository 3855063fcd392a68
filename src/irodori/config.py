"""Typed configuration: frozen dataclasses to and from JSON and TOML, strict, with suggestions.

A wrong key, type or value fails before anything is loaded, and the message names the nearest right key.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from irodori.errors import ConfigError

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as nested plain data: what goes into JSON."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, (tuple, list)):
        return [_plain(element) for element in value]
    return value


def from_dict(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Builds the dataclass `kind`; ConfigError for unknown keys, wrong types and values that it rejects."""
    return _update(kind, None, values, where)


def override(config: T, values: Mapping[str, Any], where: str = "") -> T:
    """A copy of `config` with some fields replaced; nested mappings replace single fields of nested dataclasses."""
    return _update(type(config), config, values, where)


def _update(kind: type[T], base: T | None, values: Mapping[str, Any], where: str) -> T:
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    given = {}
    for key, value in values.items():
        path = f"{where}.{key}" if where else key
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(names)}"
            raise ConfigError(f"{path}: unknown key; {hint}")
        given[key] = _convert(hints[key], value, getattr(base, key, None), path)
    try:
        return dataclasses.replace(base, **given) if base is not None else kind(**given)  # type: ignore[type-var]
    except TypeError as error:
        raise ConfigError(f"{where or kind.__name__}: {error}") from error


def _convert(hint: Any, value: Any, base: Any, path: str) -> Any:
    """`value` as the type `hint`; numbers are not strings, and True is not 1."""
    origin, arguments = get_origin(hint), get_args(hint)
    nested = type(base) if hint is Any else hint  # a field of any type keeps the type that it has
    if dataclasses.is_dataclass(nested) and isinstance(value, Mapping):
        return _update(nested, base, value, path)  # type: ignore[type-var]
    if origin is Literal:
        return _choice(arguments, value, path)
    if origin is tuple and isinstance(value, (list, tuple)):
        return _tuple(arguments, value, path)
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _convert(arguments[1], one, None, f"{path}.{key}") for key, one in value.items()}
    if origin in (Union, types.UnionType):
        return _union(arguments, value, base, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (
        nested is hint
        and isinstance(hint, type)
        and isinstance(value, hint)
        and not (isinstance(value, bool) and hint is not bool)
    ):
        return value
    kind = {tuple: "a list", dict: "a table"}.get(origin) or getattr(hint, "__name__", hint)
    raise ConfigError(f"{path}: expected {kind}, got {value!r}")


def _choice(allowed: tuple[Any, ...], value: Any, path: str) -> Any:
    if value not in allowed:
        raise ConfigError(f"{path}: expected one of {', '.join(map(str, allowed))}, got {value!r}")
    return value


def _tuple(kinds: tuple[Any, ...], value: Sequence[Any], path: str) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ConfigError(f"{path}: expected {len(kinds)} values, got {len(value)}")
    return tuple(_convert(kind, v, None, f"{path}[{i}]") for i, (kind, v) in enumerate(zip(kinds, value, strict=True)))


def _union(kinds: tuple[Any, ...], value: Any, base: Any, path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    return _convert(next(kind for kind in kinds if kind is not type(None)), value, base, path)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """``["system.image_size=128", "data.sketches=['ink']"]`` as nested data; values are TOML, bare words are strings.

    >>> parse_assignments(["a.b=2", "a.c=word"])
    {'a': {'b': 2, 'c': 'word'}}
    """
    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: expected KEY=VALUE, for example system.image_size=128")
        *parents, last = key.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {assignment}: '{parent}' was given a value before and has no parts")
        place[last] = _toml_value(text)
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as nested data; ConfigError when it is missing or malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such configuration file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable TOML file ({error})") from error
