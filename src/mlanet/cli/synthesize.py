"""`mlanet synthesize`: labelled faces to train with, made of nothing or of labelled photos."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.morphable import MorphableModel
    from mlanet.synthesis import Samples

SHOWN_REASONS = 5
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def heads(
    *,
    out: Path,
    count: int = 10_000,
    size: int = 128,
    seed: int = 0,
    albedo: Literal["open", "photo"] = "open",
    backgrounds: Path | None = None,
) -> int:
    """Render random heads with exact coefficients; the same command goes on after a stop.

    Args:
        out: Folder for labels.npz, tar files of pictures and dataset.json.
        count: How many heads.
        size: Side of the pictures in pixels.
        seed: Of everything random; a head depends on the seed and its number alone.
        albedo: The face model's own albedo, or the photographic one (other coefficients).
        backgrounds: Folder of photos whose parts serve as backgrounds.

    Returns:
        Exit status.
    """
    if count < 1 or not 16 <= size <= 1024 or seed < 0:
        raise UsageError("--count must be positive, --size in 16..1024, --seed not negative")
    from dataclasses import asdict

    from mlanet.image import read_image
    from mlanet.morphable import AlbedoModel, MorphableModel
    from mlanet.synthesis import RenderedHeads

    model = MorphableModel.load()
    if albedo == "photo":
        model = AlbedoModel.load().on(model)
    files: list[Path] = []
    if backgrounds is not None:
        files = sorted(p for p in backgrounds.glob("*") if p.suffix.lower() in PICTURES)
        if not files:
            raise UsageError(f"{backgrounds}: holds no pictures for --backgrounds")
    made = RenderedHeads(
        model, size=size, count=count, seed=seed, photos=[read_image(file) for file in files]
    )
    settings = {
        "kind": "heads",
        "seed": seed,
        "config": asdict(made.config),
        "backgrounds": [file.name for file in files],
        "known": ["identity", "expression", "albedo", "rotation", "translation", "lighting"],
    }
    return _write(made, out, model, size, albedo, settings)


def profiles(
    *,
    data: Path,
    out: Path,
    size: int = 128,
    step_deg: float = 20.0,
    steps: int = 3,
    depth_weight: float = 1.0,
) -> int:
    """Turn labelled faces out of the plane; the same command goes on after a stop.

    Args:
        data: Folder with labels.npz (68 landmarks) and tar files of pictures.
        out: Folder for labels.npz, tar files of pictures and dataset.json.
        size: Side of the pictures in pixels.
        step_deg: Degrees of yaw between the pictures of a face; none is turned beyond 90.
        steps: Pictures of each face.
        depth_weight: How much the labels' depth counts beside x and y, 0 to 1; little where it is
            another face model's guess.

    Returns:
        Exit status.
    """
    if not 16 <= size <= 512 or steps < 1 or not 0.0 < step_deg <= 90.0:
        raise UsageError("--size must be in 16..512, --steps positive, --step-deg in 0..90")
    if not 0.0 <= depth_weight <= 1.0:
        raise UsageError(f"--depth-weight must be in 0..1, got {depth_weight}")
    from mlanet.datasets import FaceCrops
    from mlanet.morphable import MorphableModel
    from mlanet.synthesis import ProfiledFaces

    model = MorphableModel.load()
    made = ProfiledFaces(
        model,
        FaceCrops(data),
        size=size,
        step_deg=step_deg,
        steps=steps,
        depth_weight=depth_weight,
    )
    settings = {
        "kind": "profiles",
        "data": data.name,
        "faces": len(made.faces),
        "step_deg": step_deg,
        "steps": steps,
        "depth_weight": depth_weight,
        "known": ["identity", "expression", "rotation", "translation"],
    }
    return _write(made, out, model, size, "open", settings)


def _write(
    samples: "Samples",
    out: Path,
    model: "MorphableModel",
    size: int,
    albedo: str,
    settings: dict[str, Any],
) -> int:
    """Write samples with a line of progress, and say what was left out."""
    from dataclasses import asdict

    from mlanet.synthesis import write_samples

    common = {
        "size": size,
        "face_model": model.name,
        "albedo": albedo,
        "layout": asdict(model.layout),
    }

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr)

    written = write_samples(samples, out, settings | common, progress)
    print(f"{out}: {written.count} faces, {len(written.skipped)} left out")
    for reason in written.skipped[:SHOWN_REASONS]:
        print(f"left out: {reason}", file=sys.stderr)
    if len(written.skipped) > SHOWN_REASONS:
        print(f"left out: {len(written.skipped) - SHOWN_REASONS} more", file=sys.stderr)
    return 0
