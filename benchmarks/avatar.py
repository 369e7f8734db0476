"""Sizes of the avatar file and its page, times of writing files, and errors of textures.

    python benchmarks/avatar.py --data DATA --json avatar.json

Errors of textures (`texture_errors.py` defines them) need photos of AFLW2000-3D in the folder
`aflw2000_dev` of DATA; without it they are left out. The bare install's packages suffice. The face
is the example photo's; the size is that with a texture of 1024 px (the photo's own, enlarged, with
noise of a camera, for the example's face is small). Times are medians, on one thread where
OMP_NUM_THREADS=1 says so.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import UInt8
from PIL import Image
from rich.console import Console
from rich.table import Table
from texture_errors import (
    central_face,
    foreign_percent,
    pairs,
    photo_errors,
    photos_of,
    seam_errors,
)

from mlanet import Reconstruction, Reconstructor
from mlanet.assets import verified_path
from mlanet.export import write_avatar
from mlanet.image import read_image
from mlanet.viewing import view_page, write_view

SIDE = 1024
NOISE = 4.0
"""Standard deviation in levels of 255."""

BARS = {
    "glb_mb": 3.0,
    "view_mb": 3.0,
    "save_ms": 40.0,
    "texture_ms": 40.0,
    "eye_error": 3.8,
    "photo_error": 1.26,
    "seam_error": 3.0,
    "foreign_texels": 2.0,
}
"""At most."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    json: Path | None = None
    """File for the figures."""
    repeats: int = 15
    data: Path | None = None
    """Folder of the data sets (MLANET_DATA)."""
    photos: int = 100
    """For errors of textures; every second one is behind the next one's head."""


def example() -> Reconstruction:
    """The example photo's face, with its texture made."""
    face = Reconstructor.load()(read_image(verified_path("example-image")))[0]
    assert face.texture.image.size
    return face


def large_texture(face: Reconstruction) -> UInt8[np.ndarray, "h w 3"]:
    """The face's texture at `SIDE`, with noise."""
    picture = Image.fromarray(face.texture.image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    noise = np.random.default_rng(0).normal(0.0, NOISE, (SIDE, SIDE, 3))
    return np.clip(np.asarray(picture) + noise, 0.0, 255.0).astype(np.uint8)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median wall time after one call that warms up."""
    work()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def measure(repeats: int) -> dict[str, float]:
    """All figures by name."""
    face, figures = example(), {}
    coefficients = face.coefficients
    shape = coefficients.identity, coefficients.expression
    texture = large_texture(face)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "face.glb"
        start = time.perf_counter()
        write_avatar(file, face.model, *shape, texture)
        figures["first_glb_ms"] = (time.perf_counter() - start) * 1e3
        figures["glb_mb"] = file.stat().st_size / 1e6
        large = replace(face.viewed(), glb=file.read_bytes())
        figures["view_mb"] = len(view_page([large], "face").encode()) / 1e6
        page = Path(folder) / "view.html"
        figures["view_ms"] = median_ms(lambda: write_view([face], page), repeats)
        own = face.texture.image
        figures["glb_ms"] = median_ms(lambda: write_avatar(file, face.model, *shape, own), repeats)
        figures["glb_1024_ms"] = median_ms(
            lambda: write_avatar(file, face.model, *shape, texture), repeats
        )
        figures["texture_ms"] = median_ms(lambda: face.texture_of(SIDE), repeats)
        figures["save_ms"] = median_ms(lambda: face.save(folder), repeats)
    return figures


def texture_errors(data: Path, count: int) -> dict[str, float]:
    """Means over photos; percentages over composed pairs."""
    reconstructor = Reconstructor.load()
    photos = list(photos_of(data, count))
    errors: list[tuple[float, ...]] = []
    for photo in photos:
        face = central_face(reconstructor, photo.image)
        if face is not None and photo.landmarks_px is not None:
            landmarks = photo.landmarks_px[:, :2].astype(np.float64)
            errors.append((*photo_errors(face, landmarks), *seam_errors(face)))
    eye, skin, region, seam, step = np.nanmean(np.array(errors), axis=0).tolist()
    scenes = pairs(reconstructor, [photo.image for photo in photos[::2]])
    foreign = [foreign_percent(reconstructor, scene) for scene in scenes]
    return {
        "eye_error": eye,
        "photo_error": skin,
        "region_error": region,
        "seam_error": seam,
        "seam_step": step,
        "foreign_texels": float(np.nanmean(foreign)),
    }


def main(options: Options) -> None:
    """Print the table and write the file."""
    figures = measure(options.repeats)
    if options.data is not None:
        figures |= texture_errors(options.data, options.photos)
    table = Table(title="the example photo's face")
    for column in ("figure", "measured", "at most"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, value in figures.items():
        table.add_row(name, f"{value:.2f}", f"{BARS[name]:g}" if name in BARS else "")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
