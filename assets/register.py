"""Write an asset's record into the package's list. Called by the scripts that build assets."""

import hashlib
import json
from pathlib import Path

from mlanet.files import atomic_path

DATA = Path(__file__).resolve().parent.parent / "src" / "mlanet" / "data"


def register(name: str, file: str, *, version: str, licence: str, source: str, script: str) -> None:
    """Add or replace the record of `src/mlanet/data/<file>`."""
    path = DATA / "assets.json"
    entries = json.loads(path.read_text()) if path.exists() else []
    entries = [entry for entry in entries if entry["name"] != name]
    digest = hashlib.sha256((DATA / file).read_bytes()).hexdigest()
    entries.append(
        {
            "name": name,
            "file": file,
            "version": version,
            "sha256": digest,
            "licence": licence,
            "source": source,
            "script": script,
        }
    )
    entries.sort(key=lambda entry: entry["name"])
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
