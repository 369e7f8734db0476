"""Make `viewer.html`, the page around each head, from `web/viewer` (needs node and npm).

    python assets/viewer.py

npm installs what the lock file says from its registry; vite bundles the viewer with three.js into
one file. Equal sources give an equal file.
"""

import json
import shutil
import subprocess
from pathlib import Path

from register import DATA, register

from mlanet.viewing.page import PLACE_OF_DATA, PLACE_OF_TITLE

WEB = Path(__file__).resolve().parent.parent / "web" / "viewer"
FILE = "viewer.html"


def main() -> None:
    """Build, check, register."""
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
        subprocess.run(command, cwd=WEB, check=True)
    built = WEB / "dist" / "index.html"
    content = built.read_text(encoding="utf-8")
    for place in (PLACE_OF_TITLE, PLACE_OF_DATA):
        if content.count(place) != 1:
            raise SystemExit(f"{built}: {place} is not there once")
    shutil.copyfile(built, DATA / FILE)
    package = json.loads((WEB / "node_modules" / "three" / "package.json").read_text())
    register(
        "viewer",
        FILE,
        version=f"three {package['version']}",
        licence="MIT (the viewer) AND MIT (three.js)",
        source=f"web/viewer, bundled with three {package['version']} of the npm registry",
        script="assets/viewer.py",
    )


if __name__ == "__main__":
    main()
