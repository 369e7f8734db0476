"""Files that ship inside the package: where they are, whether they are whole, whose they are."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from mlanet.errors import AssetError


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """What is known of a shipped file; read from `data/assets.json` inside the package."""

    name: str
    file: str
    version: str
    sha256: str
    licence: str
    source: str
    script: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(str(files("mlanet") / "data" / self.file))


@cache
def asset_records() -> dict[str, AssetRecord]:
    """All shipped assets by name.

    Raises:
        AssetError: the list itself is missing or malformed.
    """
    path = Path(str(files("mlanet") / "data" / "assets.json"))
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {entry["name"]: AssetRecord(**entry) for entry in entries}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AssetError(f"{path}: the list of assets is unreadable; reinstall mlanet") from error


@cache
def verified_path(name: str) -> Path:
    """The path of a shipped asset whose content has been checked against its hash.

    Raises:
        AssetError: there is no such asset, or its file is missing or altered.
    """
    if name not in asset_records():
        raise AssetError(f"no asset is called {name!r}; there are {', '.join(asset_records())}")
    record = asset_records()[name]
    try:
        digest = hashlib.sha256(record.path.read_bytes()).hexdigest()
    except OSError as error:
        raise AssetError(f"{record.path}: cannot be read; reinstall mlanet") from error
    if digest != record.sha256:
        raise AssetError(f"{record.path}: the file was altered; reinstall mlanet")
    return record.path
