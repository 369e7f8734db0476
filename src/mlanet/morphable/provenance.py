"""Where a face model comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provenance:
    """What travels with a model through every conversion.

    Attributes:
        kind: the format that it was first read from, such as `basel 2009` or `flame`.
        licence: under which terms its owners give it away.
        source: where it is obtained.
        sha256: of the file it was first read from (of several files: of their hashes).
    """

    kind: str = "mlanet"
    licence: str = "not stated"
    source: str = "not stated"
    sha256: str = ""
