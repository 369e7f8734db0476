"""Build the page that makes heads in the browser, `web/face/dist` (needs node and npm).

    python assets/browser/build.py

npm installs what the lock file says from its registry. The page's large parts are written into
`web/face/parts`: the face model from `src/mlanet/data`, and onnxruntime-web's WebAssembly, both
deflated; the networks are taken as they are. `dist` is a folder of static files that any web server
may serve; `notices.txt` in it has the licences of all that is bundled, `parts.json` licence,
source and hash of each large part. Nothing of it is committed. Equal sources give equal files.
"""

import gzip
import hashlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from browser.face_model import packed_model
from browser.notices import notices
from mlanet.assets import asset_records, verified_path
from mlanet.files import atomic_path
from mlanet.morphable import load_model
from mlanet.network.runtime import CoefficientRegressor

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web" / "face"
RUNTIME = Path("node_modules", "onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm")

MAX_BYTES = 25_000_000
"""Of the whole page."""


def main() -> None:
    """Install, write the parts, build, check the size."""
    _run("npm", "ci", "--no-audit", "--no-fund")
    write_parts()
    public = WEB / "public"
    with atomic_path(public / "notices.txt") as temporary:
        temporary.write_text(notices(ROOT, WEB), encoding="utf-8")
    with atomic_path(public / "parts.json") as temporary:
        temporary.write_text(json.dumps(described_parts(), indent=2) + "\n", encoding="utf-8")
    _run("npm", "run", "build")
    dist = WEB / "dist"
    size = sum(file.stat().st_size for file in dist.rglob("*") if file.is_file())
    if size > MAX_BYTES:
        raise SystemExit(f"{dist} has {size:,} bytes, more than {MAX_BYTES:,}")
    print(f"{dist}: {size:,} bytes")


def write_parts() -> None:
    """The face model and the runtime, deflated, into `web/face/parts`."""
    (WEB / "parts").mkdir(exist_ok=True)
    model = packed_model(load_model(), CoefficientRegressor.load())
    for name, content in (
        ("face_model.packed", model),
        ("runtime.packed", (WEB / RUNTIME).read_bytes()),
    ):
        with atomic_path(WEB / "parts" / name) as temporary:
            temporary.write_bytes(gzip.compress(content, 9, mtime=0))


def described_parts() -> list[dict[str, Any]]:
    """Name, version, licence, source and hash of each large part."""
    records = asset_records()
    version = json.loads((WEB / "node_modules/onnxruntime-web/package.json").read_text())["version"]
    parts = [
        _described(
            name,
            verified_path(name),
            licence=records[name].licence,
            source=f"src/mlanet/data/{records[name].file}",
        )
        for name in ("detector", "mobile", "example-image")
    ]
    parts.append(
        _described(
            "face_model",
            WEB / "parts" / "face_model.packed",
            licence=records["open_face"].licence,
            source=f"src/mlanet/data/open_face.npz by assets/browser of mlanet {_mlanet()}",
        )
    )
    parts.append(
        _described(
            "runtime",
            WEB / "parts" / "runtime.packed",
            licence="MIT",
            source=f"{RUNTIME.name} of onnxruntime-web {version} of the npm registry, deflated",
        )
    )
    return parts


def _described(name: str, file: Path, *, licence: str, source: str) -> dict[str, str]:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"name": name, "sha256": digest, "licence": licence, "source": source}


def _mlanet() -> str:
    try:
        return importlib.metadata.version("mlanet")
    except importlib.metadata.PackageNotFoundError:
        return "of this folder"


def _run(*command: str) -> None:
    subprocess.run(command, cwd=WEB, check=True)


if __name__ == "__main__":
    main()
