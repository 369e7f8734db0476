"""Are a configuration's values of the types that its fields name?"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from mlanet.errors import ConfigurationError, did_you_mean
from mlanet.files import one_line

Made = TypeVar("Made")

LARGEST_WHOLE = 2**53
"""Whole numbers below are exact in JSON, and small enough for every counter and seed."""


def check_types(config: Any) -> None:
    """Compare a dataclass's plain fields (int, float, bool, str, `Literal`) with their types.

    Raises:
        ConfigurationError: a value is of another type or no finite number; the field is named.
    """
    hints = get_type_hints(type(config))
    for item in fields(config):
        value, wanted = getattr(config, item.name), hints[item.name]
        if get_origin(wanted) is Literal:
            if value not in get_args(wanted):
                names = ", ".join(repr(name) for name in get_args(wanted))
                raise ConfigurationError(f"{item.name} must be one of {names}, got {value!r}")
        elif wanted is float:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigurationError(f"{item.name} must be a number, got {value!r}")
            if not abs(value) < float("inf"):
                raise ConfigurationError(f"{item.name} must be a finite number, got {value!r}")
        elif wanted is int:
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigurationError(f"{item.name} must be a whole number, got {value!r}")
            if abs(value) >= LARGEST_WHOLE:
                raise ConfigurationError(f"{item.name} must be below 2^53, got {value:.3g}")
        elif wanted in (bool, str):
            if not isinstance(value, wanted):
                raise ConfigurationError(f"{item.name} must be a {wanted.__name__}, got {value!r}")
        elif is_dataclass(wanted) and type(value) is not wanted:
            raise ConfigurationError(f"{item.name} must be an object, got {value!r}")


def check_range(config: Any, low: float, high: float, *names: str) -> None:
    """Numbers that must lie between two others, both included.

    Raises:
        ConfigurationError: one does not; the field is named.
    """
    for name in names:
        value = getattr(config, name)
        if not low <= value <= high:
            wanted = f"at least {low:g}" if high == float("inf") else f"in [{low:g}, {high:g}]"
            raise ConfigurationError(f"{name} must be {wanted}, got {value!r}")


def build(name: str, kind: type[Made], values: Any) -> Made:
    """A dataclass from a JSON object, whose fields may be dataclasses or lists of them.

    Args:
        name: of the field that holds it, for messages; empty for the whole of a file.
        kind: the dataclass.
        values: the object; what is a dataclass already stays as it is.

    Raises:
        ConfigurationError: it is no object, has an unknown field, or a class refuses it.
    """
    if isinstance(values, kind):
        return values
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{name} must be an object, got {values!r}")
    hints = get_type_hints(kind)
    unknown = sorted(str(key) for key in values if key not in hints)
    where = f"{name}: " if name else ""
    if unknown:
        listed = one_line(", ".join(unknown))
        raise ConfigurationError(f"{where}unknown field {listed}{did_you_mean(unknown[0], hints)}")
    try:
        return kind(**{key: _built(key, hints[key], value) for key, value in values.items()})
    except (TypeError, ConfigurationError) as error:
        raise ConfigurationError(f"{where}{one_line(error)}") from error


def _built(name: str, hint: Any, value: Any) -> Any:
    """The value of a field: a dataclass, a tuple of dataclasses, or what JSON has."""
    if is_dataclass(hint) and isinstance(hint, type):
        return build(name, hint, value)
    member = get_args(hint)[0] if get_origin(hint) is tuple else None
    if not (is_dataclass(member) and isinstance(member, type)):
        return value
    if not isinstance(value, list | tuple):
        raise ConfigurationError(f"{name} must be a list, got {value!r}")
    return tuple(build(f"{name}[{k}]", member, each) for k, each in enumerate(value))
