"""Draw the pictures of the documentation: `python docs/make_images.py [NAME ...]`.

Names are those of the files without their endings; none means all.
"""

import argparse
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from picture_parts import (
    BACKGROUND,
    EXPRESSION,
    EYES,
    FACE,
    FOLDER,
    MOUTH,
    WHOLE,
    Framing,
    footed,
    head,
    random_head,
    titled,
    write,
    written,
)

from mlanet.assets import verified_path
from mlanet.datasets import Sample
from mlanet.files import PHOTO_SUFFIXES
from mlanet.geometry import Pose
from mlanet.image import crop_square, draw_points, draw_polylines, read_image
from mlanet.morphable import AlbedoModel, MorphableModel, load_model
from mlanet.reconstructor import Reconstructor
from mlanet.render import AXIS_COLORS, PICTURES, Renderer, key_light
from mlanet.synthesis import RenderedHeads, fit_face, turn_face

GALLERY_TILE = 240
GALLERY_ROOM = 1.35
ATTRIBUTION = "ATTRIBUTION.txt"
GALLERY = "gallery"
NOSE_TIP = 30
"""Landmark where axes are drawn."""

ANGLES = (
    ("yaw +30: turns to their right", (0.0, 30.0, 0.0)),
    ("pitch +30: looks up", (30.0, 0.0, 0.0)),
    ("roll +30: tilts to their left", (0.0, 0.0, 30.0)),
    ("yaw -30: turns to their left", (0.0, -30.0, 0.0)),
    ("pitch -30: looks down", (-30.0, 0.0, 0.0)),
    ("roll -30: tilts to their right", (0.0, 0.0, -30.0)),
)
MEAN_VIEWS_DEG = ((0.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 90.0, 0.0), (0.0, 150.0, 0.0))
SAMPLE_YAW_DEG = (0.0, 30.0, 0.0, -60.0, 0.0, 75.0, 0.0, -30.0)
EXPRESSIONS = (
    {
        "mouthSmileLeft": 0.8,
        "mouthSmileRight": 0.8,
        "cheekSquintLeft": 0.5,
        "cheekSquintRight": 0.5,
    },
    {"mouthPucker": 1.0},
    {"eyeBlinkLeft": 1.0},
    {"browInnerUp": 1.0, "mouthFrownLeft": 1.0, "mouthFrownRight": 1.0},
    {"noseSneerLeft": 1.0, "noseSneerRight": 1.0, "browDownLeft": 1.0, "browDownRight": 1.0},
    {"jawOpen": 0.5, "eyeWideLeft": 1.0, "eyeWideRight": 1.0, "browInnerUp": 1.0},
)
TOGETHER = {"mouthClose": {"jawOpen": 1.0}}
"""What an expression takes for granted."""

SIDE_DEG = 50.0
EXPRESSION_COLUMNS, EXPRESSION_TILE = 6, (176, 132)
EXPRESSION_BRIGHTNESS = 1.5
"""Of the mean skin, which is dark enough to hide what moves."""

GAP = 12
"""Under an expression's name."""


def with_axes(
    image: np.ndarray, start: np.ndarray, angles_deg: tuple[float, float, float]
) -> np.ndarray:
    """The model's axes drawn from a point (3,), 60 mm long."""
    pose, camera = WHOLE.pose(angles_deg), WHOLE.camera(len(image))
    for direction, (name, color) in zip(np.eye(3), AXIS_COLORS.items(), strict=True):
        line = np.stack([start, start + 60.0 * direction, start + 70.0 * direction])
        line = camera.project(pose.apply(line))[:, :2]
        image = draw_polylines(image, [line[:2]], color, width_px=3.0)
        if np.linalg.norm(line[2] - line[0]) > 25:  # an axis towards the viewer has no end
            image = written(image, line[2], name, color)
    return image


def draw_angles(model: MorphableModel) -> None:
    """The signs of yaw, pitch and roll."""
    tip = model.landmarks.mean[NOSE_TIP].astype(float)
    tiles = [
        titled(
            with_axes(head(model, 300, angles, framing=WHOLE), tip, angles),
            text.replace(":", "°:"),
        )
        for text, angles in ANGLES
    ]
    write("angles.png", [tiles[:3], tiles[3:]])


def draw_face_model(model: MorphableModel) -> None:
    """The mean, random heads, the parts, expressions."""
    rng = np.random.default_rng(4)
    mean = [
        head(model, 276, angles, framing=WHOLE, clay=k % 2 == 1)
        for k, angles in enumerate(MEAN_VIEWS_DEG)
    ]
    samples = [random_head(model, 184, rng, (0.0, 15.0, 0.0)) for _ in range(6)]
    aside = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}
    parts = [
        head(model, 276, (0.0, 60.0, 0.0), framing=FACE, cut_open=True),
        head(model, 276, framing=MOUTH, expression={"jawOpen": 0.9}),
        head(model, 276, (0.0, 40.0, 0.0), framing=MOUTH, expression={"tongueOut": 1.0}),
        head(model, 276, framing=EYES, expression=aside),
    ]
    expressions = [
        head(model, 184, framing=EXPRESSION, expression=extents) for extents in EXPRESSIONS
    ]
    write("face-model.png", [mean, samples, parts, expressions])


def draw_expressions(model: MorphableModel) -> None:
    """All expressions at their full extent, each from the front and from its side."""
    height, width = EXPRESSION_TILE
    margin = (height - width) // 2
    tiles = []
    for name in model.expression_names:
        side = -SIDE_DEG if name.endswith("Right") else SIDE_DEG
        together = TOGETHER.get(name, {})
        views = [
            head(
                model,
                height,
                (0.0, yaw, 0.0),
                framing=EXPRESSION,
                expression={name: 1.0, **together},
                brightness=EXPRESSION_BRIGHTNESS,
            )
            for yaw in (0.0, side)
        ]
        pair = np.hstack([view[:, margin : margin + width] for view in views])
        tile = titled(pair, " + ".join([name, *together]))
        tiles.append(np.pad(tile, ((0, GAP), (0, 0), (0, 0)), constant_values=BACKGROUND))
    tiles += [np.full_like(tiles[0], BACKGROUND)] * (-len(tiles) % EXPRESSION_COLUMNS)
    starts = range(0, len(tiles), EXPRESSION_COLUMNS)
    write("expressions.jpg", [tiles[k : k + EXPRESSION_COLUMNS] for k in starts])


def draw_gallery(portraits: Path | None = None) -> None:
    """Every kind of picture that `mlanet reconstruct --draw` knows.

    On the example photo, or on the photos of a folder in turn; its ATTRIBUTION.txt says whose they
    are and under which terms, and is written below the pictures.
    """
    if portraits is None:
        photos, attribution = [verified_path("example-image")], ""
    else:
        attribution = (portraits / ATTRIBUTION).read_text(encoding="utf-8").strip()
        photos = sorted(p for p in portraits.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
    reconstructor = Reconstructor.load()
    faces = [reconstructor(photo, max_faces=1)[0] for photo in photos]
    tiles = []
    for face, kind in zip(cycle(faces), PICTURES, strict=False):
        box = inside(square_around(face.head.projected[:, :2]), face.image)
        tiles.append(titled(crop_square(face.draw(kind), box, GALLERY_TILE).image, kind))
    columns = len(tiles) // 2
    rows = [tiles[:columns], tiles[columns:]]
    if attribution:
        rows.append([footed(attribution, columns * GALLERY_TILE)])
    write("gallery.png", rows)


def draw_renderer(model: MorphableModel) -> None:
    """Outlines with and without blending, and the picture's change with a step to the side.

    The change by the renderer's gradients stands beside that of the exact coverage, from many
    samples in each pixel.
    """
    side, magnified, step_mm = 36, 7, 0.5
    layout = model.layout
    vertices = torch.from_numpy(
        model.vertices(np.zeros(layout.identity), np.zeros(layout.expression))
    )
    albedo = torch.from_numpy(model.albedo(np.zeros(layout.albedo))).double()
    pose = FACE.pose((0.0, 30.0, 0.0))
    rotation, start = torch.from_numpy(pose.rotation), torch.from_numpy(pose.translation)
    light = torch.from_numpy(key_light()).double()

    def drawn(shift_mm: torch.Tensor, samples: int = 1, *, soft: bool = True) -> torch.Tensor:
        size = side * samples
        renderer = Renderer(model.topology, (size, size), soft_outlines=soft, normals=False)
        moved = Pose(rotation, start + torch.stack([shift_mm, 0.0 * shift_mm, 0.0 * shift_mm]))
        behind = torch.full((size, size, 3), BACKGROUND / 255.0, dtype=torch.float64)
        image = renderer(
            vertices, moved, FACE.camera(size), light, albedo=albedo, background=behind
        ).image
        return image.reshape(side, samples, side, samples, 3).mean(dim=(1, 3))

    def change(brightness: torch.Tensor) -> np.ndarray:
        grey = np.clip(0.5 + 2.0 * brightness.reshape(side, side).numpy(), 0.0, 1.0)
        return np.repeat(grey[..., None], 3, axis=2)

    zero = torch.zeros((), dtype=torch.float64)
    shift = zero.clone().requires_grad_()
    values = drawn(shift).mean(dim=-1).reshape(-1)
    slopes = [torch.autograd.grad(v, shift, retain_graph=True)[0] for v in values]
    exact = [drawn(zero + k * step_mm, 12, soft=False) for k in (-1.0, 1.0)]
    tiles = {
        "without blending": drawn(zero, soft=False).numpy(),
        "outlines blended": drawn(zero).numpy(),
        "gradient: one mm to the side": change(torch.stack(slopes)),
        "exact coverage: the same": change((exact[1] - exact[0]).mean(dim=-1) / (2.0 * step_mm)),
    }
    large = {
        name: np.kron(
            np.rint(255.0 * tile).astype(np.uint8), np.ones((magnified, magnified, 1), np.uint8)
        )
        for name, tile in tiles.items()
    }
    write("renderer.png", [[titled(tile, name) for name, tile in large.items()]])


def square_around(points_px: np.ndarray) -> np.ndarray:
    """A square (left, top, right, bottom) with some room around points."""
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    centre, half = (low + high) / 2, GALLERY_ROOM * (high - low).max() / 2
    return np.concatenate([centre - half, centre + half])


def inside(square: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A square moved, and made smaller where it must be, until it lies in a picture."""
    height, width = image.shape[:2]
    side = min(square[2] - square[0], width, height)
    middle = (square[:2] + square[2:]) / 2
    corner = np.clip(middle - side / 2, 0.0, [width - side, height - side])
    return np.concatenate([corner, corner + side])


def sample_rows(model: MorphableModel, size: int, framing: Framing) -> list[list[np.ndarray]]:
    """64 random heads, every second one turned."""
    rng = np.random.default_rng(64)
    tiles = [
        random_head(model, size, rng, (0.0, SAMPLE_YAW_DEG[k % len(SAMPLE_YAW_DEG)], 0.0), framing)
        for k in range(64)
    ]
    return [tiles[k : k + 8] for k in range(0, 64, 8)]


def draw_samples(model: MorphableModel) -> None:
    """The contact sheet."""
    write("face-samples.jpg", sample_rows(model, 150, WHOLE))


def draw_beside(model: MorphableModel, other: MorphableModel) -> None:
    """The contact sheets of another model (left) and of this one, both as large."""
    gap = np.full((110, 24, 3), BACKGROUND, np.uint8)
    rows = zip(sample_rows(other, 110, WHOLE), sample_rows(model, 110, WHOLE), strict=True)
    write("face-models-beside.jpg", [[*left, gap, *right] for left, right in rows])


def draw_photo_albedo(model: MorphableModel) -> None:
    """The photographic albedo: its mean, large, and samples on the mean head."""
    model = AlbedoModel.load().on(model)
    rng = np.random.default_rng(7)
    mean = [head(model, 288, (0.0, yaw, 0.0)) for yaw in (0.0, 35.0, -35.0, 70.0)]
    tiles = [
        head(model, 144, albedo=rng.normal(size=model.layout.albedo).astype(np.float32))
        for _ in range(40)
    ]
    write("photo-albedo.png", [mean, *(tiles[k : k + 8] for k in range(0, 40, 8))])


def draw_rendered_heads(model: MorphableModel) -> None:
    """Rendered heads of `mlanet synthesize heads`: the model's albedo, then the photographic."""
    rows = []
    for seed, face_model in enumerate((model, AlbedoModel.load().on(model))):
        heads = RenderedHeads(face_model, seed=seed + 1)
        tiles = [heads[k].image for k in range(24)]
        rows += [tiles[:12], tiles[12:]]
    write("rendered-heads.png", rows)


def draw_profiling(model: MorphableModel) -> None:
    """The example photo turned out of the plane, with the landmarks that follow."""
    photo = read_image(verified_path("example-image"))
    found = Reconstructor.load()(photo)[0].landmarks_px
    face = fit_face(model, Sample("example", photo, found), 200)
    start = float(np.degrees(face.angles_rad[1]))
    turned = [
        turn_face(model, face, float(np.copysign(yaw, start)))
        for yaw in (abs(start), 30.0, 50.0, 70.0, 90.0)
    ]
    marked = [draw_points(one.image, one.landmarks_px[:, :2]) for one in turned]
    write("profiling.png", [[one.image for one in turned], marked])


DRAWN: dict[str, Callable[[MorphableModel], None]] = {
    "angles": draw_angles,
    "face-model": draw_face_model,
    "expressions": draw_expressions,
    "renderer": draw_renderer,
    "face-samples": draw_samples,
    "photo-albedo": draw_photo_albedo,
    "rendered-heads": draw_rendered_heads,
    "profiling": draw_profiling,
}


def main() -> None:
    """Draw them into docs/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*DRAWN, GALLERY]))
    parser.add_argument("--model", type=Path, help="instead of the embedded one")
    parser.add_argument("--portraits", type=Path, help=f"photos for gallery, with {ATTRIBUTION}")
    parser.add_argument("--beside", type=Path, help="draw this model's contact sheet beside it")
    given = parser.parse_args()
    if unknown := set(given.names) - {*DRAWN, GALLERY}:
        parser.error(f"no picture {sorted(unknown)}; there are {[*DRAWN, GALLERY]}")
    if given.portraits is not None and not (given.portraits / ATTRIBUTION).is_file():
        parser.error(f"--portraits: {given.portraits} must hold {ATTRIBUTION}")
    FOLDER.mkdir(exist_ok=True)
    model = load_model(given.model)
    if given.beside is not None:
        draw_beside(model, load_model(given.beside))
        return
    drawn = {**DRAWN, GALLERY: lambda _: draw_gallery(given.portraits)}
    for name in given.names or drawn:
        drawn[name](model)


if __name__ == "__main__":
    main()
