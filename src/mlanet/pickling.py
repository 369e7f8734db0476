"""Pickles of results: small, and the same whatever was computed before."""

from dataclasses import fields
from typing import Any


class PickledFields:
    """Base of dataclasses whose pickles hold their fields, and nothing computed from them."""

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone."""
        return {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
