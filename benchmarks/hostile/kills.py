"""`kill -9` of runs over many photos: what is left, and what the next run makes of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from .sources import example_face

PHOTOS = 60
SIDE_PX = 150
MAX_LINES = 8
"""A run is killed while one of its first photos is done; their order is another in each run."""


@dataclass
class Damage:
    """What kills did: names of files and photos."""

    broken_files: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    foreign_touched: list[str] = field(default_factory=list)


def kill_runs(root: Path, seed: int, kills: int) -> Damage:
    """Start and kill runs over the same photos and folder, run once to the end, and compare."""
    rng = np.random.default_rng(seed)
    photos = _make_photos(root / "photos", rng)
    reference = _run_to_the_end(photos, root / "reference")
    out = root / "out"
    foreign = _foreign_files(out, photos) | {path: _digest(path) for path in photos}
    damage = Damage()
    seen: dict[Path, int] = {}
    for number in range(kills):
        _run_and_kill([photos[k] for k in rng.permutation(len(photos))], out, rng)
        for path in _own_files(out, foreign):
            changed = path.stat().st_mtime_ns
            if seen.get(path) != changed and not _whole(path, reference):
                damage.broken_files.append(f"{path.relative_to(out)} after kill {number}")
            seen[path] = changed
    found = _run_to_the_end(photos, out)
    for photo, folder in reference.items():
        if photo not in found or _results(found[photo], foreign) != _results(folder, {}):
            damage.lost.append(photo.name)
    damage.broken_files += [f"{path.relative_to(out)} left over" for path in out.rglob(".mlanet-*")]
    for path, digest in foreign.items():
        if not path.is_file() or _digest(path) != digest:
            damage.foreign_touched.append(str(path.relative_to(root)))
    return damage


def _make_photos(folder: Path, rng: np.random.Generator) -> list[Path]:
    """The example's face, shifted, mirrored, brighter and darker."""
    folder.mkdir(parents=True)
    face, paths = example_face(), []
    for number in range(PHOTOS):
        left, top = (int(value) for value in rng.integers(0, 30, 2))
        side = int(rng.integers(250, 270))
        picture = face.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.8, 1.2)))
        paths.append(folder / f"photo{number:02d}.jpg")
        picture.save(paths[-1], quality=92)
    return paths


def _foreign_files(out: Path, photos: list[Path]) -> dict[Path, str]:
    """What a user may have put where results go, some of it under names that mlanet gives."""
    kept = (
        (out / "notes.txt", b"mine\n"),
        (out / photos[3].stem / "notes.txt", b"mine, too\n"),
        (out / photos[5].stem / "face_07.json", b"{}\n"),
        (out / photos[7].stem / "overlay.png", photos[7].read_bytes()),
        (out / "face_00.glb", b"not yours\n"),
    )
    for path, content in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {path: _digest(path) for path, _ in kept}


def _command(photos: list[Path], out: Path) -> list[str]:
    words = [sys.executable, "-u", "-m", "mlanet", "reconstruct", *map(str, photos)]
    return [*words, "--out", str(out), "--threads", "1"]


def _run_to_the_end(photos: list[Path], out: Path) -> dict[Path, Path]:
    """The folder of each photo, as the run says it."""
    done = subprocess.run(_command(photos, out), capture_output=True, text=True, check=False)
    folders = {}
    for photo in photos:
        for line in done.stdout.splitlines():
            if line.startswith(f"{photo}: ") and " -> " in line:
                folders[photo] = Path(line.rpartition(" -> ")[2])
    if not folders:
        raise RuntimeError(f"the run failed: {done.stderr[-500:]}")
    return folders


def _run_and_kill(photos: list[Path], out: Path, rng: np.random.Generator) -> None:
    lines, wait_s = int(rng.integers(MAX_LINES)), float(rng.uniform(0.0, 1.0))
    process = subprocess.Popen(
        _command(photos, out), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    time.sleep(wait_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def _own_files(out: Path, foreign: dict[Path, str]) -> list[Path]:
    """Files that a user sees and did not write."""
    return [
        path
        for path in out.rglob("*")
        if path.is_file()
        and path not in foreign
        and not any(part.startswith(".") for part in path.relative_to(out).parts)
    ]


def _results(folder: Path, foreign: dict[Path, str]) -> dict[str, str]:
    return {path.name: _digest(path) for path in _own_files(folder, foreign)}


def _whole(path: Path, reference: dict[Path, Path]) -> bool:
    """Whether a result is what an undisturbed run writes, or at least can be read to its end."""
    for photo, folder in reference.items():
        same = path.parent.name.startswith(photo.stem) and (folder / path.name).is_file()
        if same and _digest(path) == _digest(folder / path.name):
            return True
        if same and path.name.startswith(("face_", "overlay")):
            return False
    if path.suffix == ".json":  # the manifest changes while a result is replaced
        try:
            json.loads(path.read_bytes())
        except ValueError:
            return False
    return path.stat().st_size > 0


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def clear(root: Path) -> None:
    """Remove what `kill_runs` made."""
    shutil.rmtree(root, ignore_errors=True)
