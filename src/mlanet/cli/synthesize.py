"""`mlanet synthesize`: labelled faces to train with, made of nothing or of labelled photos."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from mlanet.cli.common import EXIT_OK, JawOption, OutPath, SomePath, count_up, name_skipped
from mlanet.errors import DataError, UsageError

if TYPE_CHECKING:
    from mlanet.datasets import Dataset
    from mlanet.morphable import MorphableModel
    from mlanet.synthesis import SampleSequence

SHOWN_REASONS = 5


@dataclass(frozen=True, slots=True)
class Variety:
    """How heads differ."""

    yaw_deg: float = 90.0
    """Yaw is uniform between plus and minus this."""

    expression: float = 0.5
    """Probability that a part of the face (brows, lids, jaw, ...) moves; lids and gaze move in 65
    and 80 % of the heads at least."""

    pictures: int = 1
    """So many heads in a row are one person's, alike in identity and albedo alone."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.yaw_deg <= 90.0:
            raise UsageError(f"--yaw-deg must be in 0..90, got {self.yaw_deg}")
        if not 0.0 <= self.expression <= 1.0:
            raise UsageError(f"--expression must be in 0..1, got {self.expression}")
        if self.pictures < 1:
            raise UsageError(f"--pictures must be positive, got {self.pictures}")


def heads(
    *,
    out: OutPath,
    count: int = 10_000,
    size: int = 128,
    seed: int = 0,
    variety: Annotated[Variety, tyro.conf.OmitArgPrefixes] = Variety(),
    albedo: Literal["open", "photo"] = "open",
    backgrounds: SomePath = None,
) -> int:
    """Render random heads with exact coefficients; the same command goes on after a stop.

    Args:
        out: Folder for labels.npz, tar files of pictures and dataset.json.
        count: How many heads.
        size: Side of the pictures in pixels.
        seed: Of everything random; a head depends on these options and its number alone.
        variety: How heads differ.
        albedo: The face model's own albedo, or the photographic one (other coefficients).
        backgrounds: Photos, also in its folders, whose parts serve as backgrounds.

    Returns:
        Exit status.
    """
    if count < 1 or not 16 <= size <= 1024 or seed < 0:
        raise UsageError("--count must be positive, --size in 16..1024, --seed not negative")
    from mlanet.morphable import AlbedoModel, load_model
    from mlanet.synthesis import BackgroundPhotos, HeadsConfig, RenderedHeads

    if backgrounds is not None and not backgrounds.is_dir():
        raise UsageError(f"--backgrounds {backgrounds}: no such folder")
    photos = None if backgrounds is None else BackgroundPhotos(backgrounds, size)
    model = load_model()
    if albedo == "photo":
        model = AlbedoModel.load().on(model)
    config = HeadsConfig(**asdict(variety))
    made = RenderedHeads(
        model, size=size, count=count, seed=seed, config=config, photos=photos or ()
    )
    settings = {
        "kind": "heads",
        "seed": seed,
        "config": {k: v for k, v in asdict(made.config).items() if (k, v) != ("pictures", 1)},
        "backgrounds": list(photos.names) if photos else [],
        "known": ["identity", "expression", "albedo", "rotation", "translation", "lighting"],
    }
    _write(made, out, model, size, albedo, settings)
    if photos:
        name_skipped(photos.skipped)
    return EXIT_OK


def profiles(
    *,
    data: Path,
    out: OutPath,
    size: int = 128,
    step_deg: float = 20.0,
    steps: int = 3,
    depth_weight: float = 1.0,
    jaw: JawOption = "auto",
) -> int:
    """Turn labelled faces out of the plane; the same command goes on after a stop.

    Args:
        data: Folder with labels.npz (68 landmarks) and tar files of pictures, or a data set in
            another layout of docs/reference/datasets.md whose samples have landmarks.
        out: Folder for labels.npz, tar files of pictures and dataset.json.
        size: Side of the pictures in pixels.
        step_deg: Degrees of yaw between the pictures of a face; none is turned beyond 90.
        steps: Pictures of each face.
        depth_weight: How much the labels' depth counts beside x and y, 0 to 1; little where it is
            another face model's guess.
        jaw: What the labels' 17 jaw points are: of the visible contour, as 2D annotators mark them,
            which counts a twentieth, or of the surface; auto: surface for 300W-LP and where labels
            have depth.

    Returns:
        Exit status.
    """
    if not 16 <= size <= 512 or steps < 1 or not 0.0 < step_deg <= 90.0:
        raise UsageError("--size must be in 16..512, --steps positive, --step-deg in 0..90")
    if not 0.0 <= depth_weight <= 1.0:
        raise UsageError(f"--depth-weight must be in 0..1, got {depth_weight}")
    from mlanet.morphable import load_model
    from mlanet.synthesis import ProfiledFaces

    dataset = _labelled(data)
    model = load_model()
    made = ProfiledFaces(
        model,
        dataset,
        size=size,
        step_deg=step_deg,
        steps=steps,
        depth_weight=depth_weight,
        jaw=jaw,
    )
    settings = {
        "kind": "profiles",
        "data": data.name,
        "faces": len(made.faces),
        "step_deg": step_deg,
        "steps": steps,
        "depth_weight": depth_weight,
        "jaw": jaw,
        "known": ["identity", "expression", "rotation", "translation"],
    }
    _write(made, out, model, size, "open", settings)
    name_skipped(dataset.skipped)
    return EXIT_OK


def _labelled(data: Path) -> "Dataset":
    """A data set that has landmarks."""
    from mlanet.datasets import open_dataset
    from mlanet.datasets.layouts import layout_of

    absent = DataError(
        f"{data}: holds no labels.npz, nor landmarks in another layout of "
        "docs/reference/datasets.md"
    )
    try:
        layout = layout_of(data)
    except DataError as error:
        raise (absent if data.is_dir() else error) from error
    if layout == "photos":  # in which nobody need look for faces
        raise absent
    if layout == "aflw2000":
        print(f"{data}: is there to evaluate with; do not train on its faces", file=sys.stderr)
    dataset = open_dataset(data, layout)
    if layout != "crops" and not _has_landmarks(dataset):
        raise absent
    return dataset


def _has_landmarks(dataset: "Dataset") -> bool:
    """Whether some sample has landmarks; true if none can be read, which will be named."""
    from mlanet.datasets import BROKEN

    readable = False
    for index in range(len(dataset)):
        try:
            sample = dataset[index]
        except BROKEN:
            continue
        if sample.landmarks_px is not None:
            return True
        readable = True
    return not readable


def _write(
    samples: "SampleSequence",
    out: OutPath,
    model: "MorphableModel",
    size: int,
    albedo: str,
    settings: dict[str, Any],
) -> None:
    """Write samples with a line of progress, and say what was left out."""
    from mlanet.synthesis import write_samples

    common = {
        "size": size,
        "face_model": model.name,
        "albedo": albedo,
        "layout": asdict(model.layout),
    }

    written = write_samples(samples, out, settings | common, count_up)
    print(f"{out}: {written.count} faces, {len(written.skipped)} left out")
    reasons = list(dict.fromkeys(written.skipped))  # several pictures of a face may share one
    for reason in reasons[:SHOWN_REASONS]:
        print(f"left out: {reason}", file=sys.stderr)
    if len(reasons) > SHOWN_REASONS:
        print(f"left out: {len(reasons) - SHOWN_REASONS} more", file=sys.stderr)
