"""`mlanet models`: face models listed, described, converted, drawn and checked."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, OutPath, SomePath, require_extra
from mlanet.errors import AssetError, UsageError

if TYPE_CHECKING:
    from mlanet.morphable import MorphableModel

EMBEDDED = "embedded"
"""Stands for the embedded model where a file is asked for."""

NAME_DIGITS = 8
"""Digits of a source's SHA-256 in the name of what is converted from it."""

Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]


def list_models() -> int:
    """Print the embedded model, the formats that are read, and where those models are obtained.

    Returns:
        Exit status.
    """
    from mlanet.morphable.readers.formats import FORMATS

    model = load(Path(EMBEDDED), None)
    layout = model.layout
    print(f"{EMBEDDED}: {model.name}, {layout.identity} identity, {layout.expression} expression,")
    print(f"  {layout.albedo} albedo modes; {model.provenance.licence}; ships with mlanet")
    print("read from files of yours, chosen by content (docs/reference/face-models.md):")
    for name, entry in FORMATS.items():
        print(
            f"  {name:<18}{entry.files}" + (f"\n  {'':<18}{entry.source}" if entry.source else "")
        )
    return EXIT_OK


def info(model: Source, /, *, landmarks: Path | None = None) -> int:
    """Print what a face model is, whose it is and what it holds.

    Args:
        model: File or folder of a face model, or embedded.
        landmarks: File with the places of the 68 landmarks, for models without them.

    Returns:
        Exit status.
    """
    found = load(model, landmarks)
    for name, text in describe(found):
        print(f"{name:<16}{text}")
    return EXIT_OK


def convert(
    source: Source,
    /,
    *,
    out: OutPath,
    landmarks: SomePath = None,
    modes: tuple[int, int, int] | None = None,
) -> int:
    """Write a face model as one npz of our own, with its correspondence to the embedded model.

    The mean is registered to the embedded model's; the file then serves
    mlanet reconstruct --topology and mlanet train --model. Landmarks that the source lacks are
    taken from there. The model's name receives the first digits of the source's SHA-256, by which
    weights and labels tell apart what different releases of a model mean.

    Args:
        source: File or folder of a face model.
        out: The .npz file to write.
        landmarks: File with the places of the 68 landmarks, for models without them.
        modes: How many of the first identity, expression and albedo modes to keep; all without.

    Returns:
        Exit status.
    """
    if out.suffix != ".npz":
        raise UsageError(f"--out must end in .npz, got {out}")
    if str(source) == EMBEDDED:
        raise UsageError("the embedded model needs no conversion")
    from mlanet.morphable import load_model, save_model
    from mlanet.morphable.transfer import connect

    model = load(source, landmarks)
    require_extra("mlanet models convert", "scipy", extra="models")
    if model.subdivided:
        raise AssetError(f"{source}: models that are subdivided cannot be converted")
    if modes is not None:
        model = model.first_modes(*modes)
    digits = model.provenance.sha256[:NAME_DIGITS]
    if not model.name.endswith(digits):
        model = replace(model, name=f"{model.name} {digits}")
    connected, registration = connect(load_model(), model)
    save_model(connected, out)
    covered = registration.correspondence.covered
    close = registration.distance_mm[covered]
    print(f"{out} written: {model.name}, {out.stat().st_size / 1e6:.1f} MB")
    print(
        f"{covered.mean():.0%} of {len(covered)} vertices correspond to the embedded model;"
        f" {float(close.mean()):.2f} mm from it on average, 95 % within"
        f" {sorted(close.tolist())[int(0.95 * (len(close) - 1))]:.2f} mm"
    )
    print(f"licence: {model.provenance.licence}")
    return EXIT_OK


def sheet(model: Source, /, *, out: OutPath, landmarks: Path | None = None) -> int:
    """Draw the mean, the first modes at 3 standard deviations, expressions and landmarks.

    Args:
        model: File or folder of a face model, or embedded.
        out: The .png file to write.
        landmarks: File with the places of the 68 landmarks, for models without them.

    Returns:
        Exit status.
    """
    from mlanet.cli.model_sheet import draw_sheet
    from mlanet.image import write_image

    write_image(out, draw_sheet(load(model, landmarks)))
    print(f"{out} written")
    return EXIT_OK


def verify() -> int:
    """Check every file that ships with mlanet against its hash.

    Returns:
        Exit status: 1 if a file is missing or altered.
    """
    from mlanet.assets import asset_records, verified_path

    failed = 0
    for name, record in asset_records().items():
        try:
            verified_path(name)
            print(f"ok       {name} {record.sha256}")
        except AssetError as error:
            failed += 1
            print(f"FAILED   {error}")
    return EXIT_FAILED if failed else EXIT_OK


def load(path: Path, landmarks: Path | None) -> "MorphableModel":
    """A model by its path or as `embedded`.

    Raises:
        AssetError: it cannot be read.
    """
    from mlanet.morphable import load_model

    if str(path) == EMBEDDED and not path.exists():
        return load_model()
    return load_model(path, landmarks)


def describe(model: "MorphableModel") -> list[tuple[str, str]]:
    """What `info` prints, as pairs of name and text."""
    layout, provenance, link = model.layout, model.provenance, model.correspondence
    base, decoded = model.num_base_vertices, model.topology.num_vertices
    known = int(model.known_landmarks.sum())
    kind = "blend shapes, weights in [0, 1]" if model.expression_bounded else "unit normal"
    uv = "none"
    if len(model.base_uv):
        uv = "with seams" if model.base_uv_faces is not None else "one for each vertex"
    size = model.shape.mean.max(axis=0) - model.shape.mean.min(axis=0)
    rows = [
        ("name", model.name),
        ("format", provenance.kind),
        ("licence", provenance.licence),
        ("source", provenance.source),
        ("sha256", provenance.sha256),
        ("vertices", f"{base:,}" + (f", {decoded:,} after subdivision" if decoded > base else "")),
        ("triangles", f"{len(model.topology.faces):,}"),
        ("size", " x ".join(f"{side:.0f}" for side in size.tolist()) + " mm"),
        ("identity", f"{layout.identity} modes"),
        ("expression", f"{layout.expression} modes, {kind}"),
        ("albedo", f"{layout.albedo} modes" if model.has_albedo else "none"),
        ("uv", uv),
        ("landmarks", f"{known} of {len(model.known_landmarks)}"),
        ("regions", ", ".join(model.regions) or "none"),
        ("mirror", "known" if len(model.mirror) else "not known"),
    ]
    if link is not None:
        rows.append(("correspondence", f"{link.covered.mean():.0%} of the vertices"))
    return rows
