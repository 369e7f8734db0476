"""The exceptions that users meet. Each message is one line: what, which file, what to do."""

from collections.abc import Iterable


class MlanetError(Exception):
    """Base of every error that mlanet raises on purpose."""


class ImageError(MlanetError):
    """A picture cannot be read or is unusable."""


class FilmError(MlanetError):
    """A film cannot be read or is unusable."""


class NoFaceError(MlanetError):
    """No face was found in a picture."""


class AssetError(MlanetError):
    """A shipped or user-supplied model file is missing, altered or of another format."""


class DataError(MlanetError):
    """A data set or annotation file is missing or malformed."""


class ConfigurationError(MlanetError):
    """A configuration is contradictory; the message names the field."""


class UsageError(MlanetError):
    """A command was called with words that make no sense."""


class RenderError(MlanetError):
    """A mesh cannot be rendered; the message names the argument."""


class CacheWarning(UserWarning):
    """Compiled loops cannot be kept or used again; they are compiled anew."""


class FilmWarning(UserWarning):
    """A film was read although it is damaged; the message names file and damage."""


class ImageWarning(UserWarning):
    """A picture was read although its file is damaged; the message names file and damage."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What ends a message about an unknown word: the nearest known one; empty if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
