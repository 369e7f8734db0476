"""How well normals of detail tell relief from paint, on rendered heads.

    python benchmarks/detail.py --json detail.json

Random heads in random light are rendered twice: with grooves of known depth, which are the
heights whose normals are asked for, and with the same lines painted dark on smooth skin. The
photos have noise and are JPEG; albedo varies from texel to texel. Correlations are with the normals
of the grooves, over the face's seen skin.
"""

import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from jaxtyping import Float
from PIL import Image
from scipy.spatial.transform import Rotation

from mlanet.geometry import Camera, Pose, decode_lighting, shading
from mlanet.morphable import MorphableModel, load_model
from mlanet.render import (
    PosedHead,
    UvAtlas,
    interpolate,
    rasterize,
    sample_texture,
    vertex_attributes_to_uv,
)
from mlanet.synthesis.lighting import random_lighting
from mlanet.texturing import HeadInPhoto, Texture, detail_normals, head_texture

BAKED, SIZE = 1024, 512
"""Texels across of what is rendered, and of the texture that is made of the photo."""

PHOTO_PX, MM_PER_PX, FOCAL_PX = 560, 0.46, 1800.0
LINES, DEPTH_MM, DARKNESS = 40, 0.45, 0.18
"""Grooves in a face; their depth, and what paint takes of the brightness, at a width of 1 mm."""

MOTTLE, NOISE = 0.03, 2.0
"""Standard deviations of the albedo's logarithm, and of the camera's noise in levels of 255."""

Look = Literal["relief", "paint"]


@dataclass(frozen=True)
class Options:
    """What to measure."""

    json: Path | None = None
    """File for the figures."""
    heads: int = 10


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A head in a photo, its texture, and the slopes of the grooves along u and v."""

    head: PosedHead
    albedo: Float[np.ndarray, "v 3"]
    texture: Texture
    slopes: Float[np.ndarray, "s s 2"]


def scene(model: MorphableModel, seed: int, look: Look) -> Scene:
    """A rendered head; of one seed, all but the lines' nature is the same."""
    rng = np.random.default_rng(seed)
    layout = model.layout
    identity = (0.8 * rng.normal(size=layout.identity)).astype(np.float32)
    vertices = model.vertices(identity, np.zeros(layout.expression, np.float32))
    albedo = model.albedo((0.7 * rng.normal(size=layout.albedo)).astype(np.float32))
    turned = Rotation.from_euler("yx", [rng.uniform(-25, 25), rng.uniform(-8, 8)], degrees=True)
    away = np.array([0.0, 10.0, FOCAL_PX * MM_PER_PX])
    pose = Pose(np.diag([1.0, -1.0, -1.0]) @ turned.as_matrix(), away)
    head = PosedHead(model, vertices, pose, Camera(FOCAL_PX, (PHOTO_PX / 2, PHOTO_PX / 2)))
    light = decode_lighting(random_lighting(rng, 0.0))
    atlas = UvAtlas.of_mesh(model.mesh_of(vertices), BAKED)
    columns = np.column_stack([head.points * [1.0, -1.0, -1.0], head.normals, albedo])
    planes = vertex_attributes_to_uv(atlas, model.topology.faces, columns)
    points, normals = planes[..., :3], planes[..., 3:6]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    lines = _lines(model, atlas, points, rng)
    gradient, slopes = _gradient(-DEPTH_MM * lines, points, normals)
    colors = planes[..., 6:] * np.exp(MOTTLE * rng.normal(size=(BAKED, BAKED, 1)))
    if look == "relief":
        normals = normals - gradient
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    else:
        colors *= np.exp(-DARKNESS * lines)[..., None]
    baked = np.clip(colors * shading(normals.astype(np.float64), light), 0.0, 1.0)
    photo = _photo(head, baked.astype(np.float32), rng)
    texture = head_texture([HeadInPhoto(photo, head)], albedo, SIZE)
    return Scene(head, albedo, texture, _reduced(slopes))


def _lines(
    model: MorphableModel,
    atlas: UvAtlas,
    points: Float[np.ndarray, "s s 3"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "s s"]:
    """Depth of curved grooves over the depth at a width of 1 mm."""
    shares = [model.region(*names) for names in (("face",), ("eyes", "lips", "brows", "mouth"))]
    face, features = np.moveaxis(
        vertex_attributes_to_uv(atlas, model.topology.faces, np.column_stack(shares)), -1, 0
    )
    free = (face > 0.8) & (features < 0.05) & atlas.fragments.mask
    middles = np.argwhere(free)
    found = np.zeros(face.shape, np.float32)
    for _ in range(LINES):
        row, column = middles[rng.integers(len(middles))]
        angle, length, width = rng.uniform(0.0, np.pi), rng.uniform(8, 35), rng.uniform(0.6, 1.2)
        along = np.linspace(-length / 2, length / 2, round(4 * length))
        angles = angle + rng.normal(0.0, 0.02) * along
        steps = np.stack([np.sin(angles), np.cos(angles)], axis=-1) * (along[1] - along[0])
        path = np.cumsum(steps, axis=0)
        sizes = [_step_mm(points, row, column, axis) for axis in (0, 1)]
        path = (path - path.mean(axis=0)) / sizes + [row, column]
        first = np.maximum(path.min(axis=0).astype(int) - 20, 0)
        last = np.minimum(path.max(axis=0).astype(int) + 21, BAKED)
        part = slice(first[0], last[0]), slice(first[1], last[1])
        places = np.moveaxis(np.indices(last - first), 0, -1) + first
        away = np.square((places[:, :, None] - path) * sizes).sum(axis=-1).min(axis=-1)
        found[part] = np.maximum(found[part], width * np.exp(-away / (2.0 * width**2)))
    return found * free


def _step_mm(points: Float[np.ndarray, "s s 3"], row: int, column: int, axis: int) -> float:
    last = [row, column]
    last[axis] -= 1
    return float(np.linalg.norm(points[row, column] - points[tuple(last)]))


def _gradient(
    height: Float[np.ndarray, "s s"],
    points: Float[np.ndarray, "s s 3"],
    normals: Float[np.ndarray, "s s 3"],
) -> tuple[Float[np.ndarray, "s s 3"], Float[np.ndarray, "s s 2"]]:
    """The height's gradient on the surface, and its slopes along u and v (upwards)."""
    u, v = np.gradient(points, axis=1), -np.gradient(points, axis=0)
    by_u, by_v = np.gradient(height, axis=1), -np.gradient(height, axis=0)
    uu, uv, vv = (np.einsum("abk,abk->ab", *pair) for pair in ((u, u), (u, v), (v, v)))
    area = np.maximum(uu * vv - uv * uv, 1e-9)
    along_u, along_v = (vv * by_u - uv * by_v) / area, (uu * by_v - uv * by_u) / area
    gradient = along_u[..., None] * u + along_v[..., None] * v
    tangent = u / np.sqrt(np.maximum(uu, 1e-9))[..., None]
    across = np.cross(normals, tangent)
    slopes = [np.einsum("abk,abk->ab", gradient, axis) for axis in (tangent, across)]
    return gradient, np.stack(slopes, axis=-1)


def _reduced(plane: Float[np.ndarray, "s s c"]) -> Float[np.ndarray, "t t c"]:
    step = BAKED // SIZE
    return plane.reshape(SIZE, step, SIZE, step, -1).mean(axis=(1, 3))


def _photo(
    head: PosedHead, baked: Float[np.ndarray, "s s 3"], rng: np.random.Generator
) -> np.ndarray:
    """Each pixel the mean of four."""
    model, side = head.model, 2 * PHOTO_PX
    fragments = rasterize(head.projected * [2.0, 2.0, 1.0], model.topology.faces, (side, side))
    picture = sample_texture(baked, interpolate(fragments, model.uv_faces, model.uv))
    picture[~fragments.mask] = 0.4
    picture = 255.0 * picture.reshape(PHOTO_PX, 2, PHOTO_PX, 2, 3).mean(axis=(1, 3))
    picture += rng.normal(0.0, NOISE, picture.shape)
    stored = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(stored, "jpeg", quality=92)
    return np.asarray(Image.open(stored))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the found slopes with the grooves': correlation, and root mean squares over theirs."""

    correlation: float
    strength: float


def agreement(made: Scene) -> Agreement:
    """Over the photo's own texels of the face's skin."""
    normals = detail_normals(made.texture, made.head, made.albedo) / 127.5 - 1.0
    found = -normals[..., :2] / np.maximum(normals[..., 2:], 0.1)
    model = made.head.model
    atlas = UvAtlas.of_mesh(model.mesh_of(made.head.vertices), SIZE)
    face = model.region("face")[:, None]
    weight = vertex_attributes_to_uv(atlas, model.topology.faces, face)[..., 0]
    weight = (weight * made.texture.visibility)[..., None]
    found = np.where(np.abs(found) < 1.0 / 127.0, 0.0, found)  # flat is 128, not 127.5
    both, own, true = (
        float((weight * product).sum())
        for product in (found * made.slopes, found**2, made.slopes**2)
    )
    return Agreement(both / np.sqrt(max(own * true, 1e-12)), np.sqrt(own / max(true, 1e-12)))


def main(options: Options) -> None:
    """Print and write the means."""
    model, figures = load_model(), dict[str, float]()
    for look in ("relief", "paint"):
        scenes = [scene(model, seed, look) for seed in range(options.heads)]
        start = time.process_time()
        found = [agreement(each) for each in scenes]
        figures["milliseconds"] = 1e3 * (time.process_time() - start) / len(scenes)
        figures[f"{look}_correlation"] = float(np.mean([each.correlation for each in found]))
        figures[f"{look}_strength"] = float(np.mean([each.strength for each in found]))
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
