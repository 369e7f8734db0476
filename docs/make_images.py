"""Draw the pictures of the documentation: `python docs/make_images.py`."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from mlanet.assets import verified_path
from mlanet.datasets import Sample
from mlanet.geometry import Camera, Pose, matrix_from_euler
from mlanet.image import crop_square, draw_points, draw_polylines, read_image, write_image
from mlanet.morphable import AlbedoModel, MorphableModel
from mlanet.reconstruction import draw_faces
from mlanet.reconstructor import Reconstructor
from mlanet.render import AXIS_COLORS, PICTURES, Renderer, composite, headlight, render_mesh
from mlanet.synthesis import RenderedHeads, fit_face, turn_face

FOLDER = Path(__file__).resolve().parent / "images"
DISTANCE_MM = 1500.0
WIDTH_MM = 250.0
CENTRE_MM = np.array([0.0, -8.0, 20.0])
BACKGROUND = 244
TEXT_HEIGHT = 30
GALLERY_TILE = 240
GALLERY_ROOM = 1.35
TEXT = (30, 30, 30)

ANGLES = (
    ("yaw +30: turns to their right", (0.0, 30.0, 0.0)),
    ("pitch +30: looks up", (30.0, 0.0, 0.0)),
    ("roll +30: tilts to their left", (0.0, 0.0, 30.0)),
    ("yaw -30: turns to their left", (0.0, -30.0, 0.0)),
    ("pitch -30: looks down", (-30.0, 0.0, 0.0)),
    ("roll -30: tilts to their right", (0.0, 0.0, -30.0)),
)
MEAN_VIEWS_DEG = ((0.0, 0.0, 0.0), (0.0, 40.0, 0.0), (0.0, 85.0, 0.0), (-15.0, -40.0, 0.0))
SAMPLE_YAW_DEG = (0.0, 30.0, 0.0, -60.0, 0.0, 75.0, 0.0, -30.0)
EXPRESSIONS = (
    {"jawOpen": 0.7},
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
)


def pose_of(angles_deg: tuple[float, float, float]) -> Pose:
    """The head's middle in front of the camera, turned by (pitch, yaw, roll)."""
    rotation = matrix_from_euler(np.radians(angles_deg))
    return Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]) - rotation @ CENTRE_MM)


def camera_of(size: int) -> Camera:
    """A camera that sees `WIDTH_MM` in a picture of `size` pixels."""
    return Camera(size * DISTANCE_MM / WIDTH_MM, (size / 2, size / 2))


def head(
    model: MorphableModel,
    size: int,
    angles_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    identity: np.ndarray | None = None,
    albedo: np.ndarray | None = None,
    expression: dict[str, float] | None = None,
    clay: bool = False,
) -> np.ndarray:
    """A square picture (size, size, 3) of the model with some coefficients."""
    layout = model.layout
    amounts = np.zeros(layout.expression, np.float32)
    for name, amount in (expression or {}).items():
        amounts[model.expression_names.index(name)] = amount
    identity = np.zeros(layout.identity, np.float32) if identity is None else identity
    albedo = np.zeros(layout.albedo, np.float32) if albedo is None else albedo
    mesh = model.mesh(identity, amounts, albedo)
    if clay:
        mesh = type(mesh)(mesh.vertices, mesh.faces)
    drawn = render_mesh(
        mesh, pose_of(angles_deg), camera_of(size), (size, size), topology=model.topology
    )
    return composite(drawn, np.full((size, size, 3), BACKGROUND, np.uint8))


def with_axes(image: np.ndarray, angles_deg: tuple[float, float, float]) -> np.ndarray:
    """The model's axes drawn from the tip of the nose, 60 mm long."""
    start = np.array([0.0, -18.0, 118.0])
    pose, camera = pose_of(angles_deg), camera_of(len(image))
    for direction, (name, color) in zip(np.eye(3), AXIS_COLORS.items(), strict=True):
        line = np.stack([start, start + 60.0 * direction, start + 70.0 * direction])
        line = camera.project(pose.apply(line))[:, :2]
        image = draw_polylines(image, [line[:2]], color, width_px=3.0)
        if np.linalg.norm(line[2] - line[0]) > 25:  # an axis towards the viewer has no end
            image = written(image, line[2], name, color)
    return image


def written(
    image: np.ndarray, center_px: np.ndarray, text: str, color: tuple[int, int, int] = TEXT
) -> np.ndarray:
    """The picture with a text around a point."""
    page = Image.fromarray(image)
    font = ImageFont.load_default(size=17)
    ImageDraw.Draw(page).text(
        tuple(center_px.tolist()),
        text,
        color,
        font,
        "mm",
        stroke_width=2,
        stroke_fill=(BACKGROUND,) * 3,
    )
    return np.asarray(page)


def titled(image: np.ndarray, text: str) -> np.ndarray:
    """The picture over a line of text."""
    height, width = image.shape[:2]
    page = np.full((height + TEXT_HEIGHT, width, 3), BACKGROUND, np.uint8)
    page[:height] = image
    return written(page, np.array([width / 2, height + TEXT_HEIGHT / 2]), text)


def write(name: str, rows: list[list[np.ndarray]]) -> None:
    """Tiles to a PNG."""
    write_image(FOLDER / name, np.vstack([np.hstack(row) for row in rows]))


def draw_angles(model: MorphableModel) -> None:
    """The signs of yaw, pitch and roll."""
    tiles = [
        titled(with_axes(head(model, 300, angles), angles), text.replace(":", "°:"))
        for text, angles in ANGLES
    ]
    write("angles.png", [tiles[:3], tiles[3:]])


def draw_face_model(model: MorphableModel) -> None:
    """The mean, random heads, expressions."""
    rng = np.random.default_rng(4)
    layout = model.layout
    mean = [head(model, 276, angles, clay=k % 2 == 1) for k, angles in enumerate(MEAN_VIEWS_DEG)]
    samples = [
        head(
            model,
            184,
            (0.0, 15.0, 0.0),
            identity=rng.normal(size=layout.identity).astype(np.float32),
            albedo=rng.normal(size=layout.albedo).astype(np.float32),
        )
        for _ in range(6)
    ]
    expressions = [head(model, 184, expression=extents) for extents in EXPRESSIONS]
    write("face-model.png", [mean, samples, expressions])


def draw_gallery() -> None:
    """Every kind of picture that `mlanet reconstruct --draw` knows, on the example photo."""
    photo = read_image(verified_path("example-image"))
    faces = Reconstructor.load()(photo)
    box = square_around(faces[0].head.projected[:, :2])
    tiles = []
    for kind in PICTURES:
        drawn = crop_square(draw_faces(faces, kind), box, GALLERY_TILE)
        tiles.append(titled(drawn.image, kind))
    columns = len(tiles) // 2
    write("gallery.png", [tiles[:columns], tiles[columns:]])


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
    pose = pose_of((0.0, 30.0, 0.0))
    rotation, start = torch.from_numpy(pose.rotation), torch.from_numpy(pose.translation)
    light = torch.from_numpy(headlight()).double()

    def drawn(shift_mm: torch.Tensor, samples: int = 1, *, soft: bool = True) -> torch.Tensor:
        size = side * samples
        renderer = Renderer(model.topology, (size, size), soft_outlines=soft, normals=False)
        moved = Pose(rotation, start + torch.stack([shift_mm, 0.0 * shift_mm, 0.0 * shift_mm]))
        behind = torch.full((size, size, 3), BACKGROUND / 255.0, dtype=torch.float64)
        image = renderer(
            vertices, moved, camera_of(size), light, albedo=albedo, background=behind
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


def draw_samples(model: MorphableModel) -> None:
    """Random heads, every second one turned."""
    rng = np.random.default_rng(64)
    layout = model.layout
    tiles = [
        head(
            model,
            144,
            (0.0, SAMPLE_YAW_DEG[k % len(SAMPLE_YAW_DEG)], 0.0),
            identity=rng.normal(size=layout.identity).astype(np.float32),
            albedo=rng.normal(size=layout.albedo).astype(np.float32),
        )
        for k in range(64)
    ]
    write("face-samples.png", [tiles[k : k + 8] for k in range(0, 64, 8)])


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


def main() -> None:
    """Draw all of them into docs/images."""
    FOLDER.mkdir(exist_ok=True)
    model = MorphableModel.load()
    draw_angles(model)
    draw_face_model(model)
    draw_gallery()
    draw_renderer(model)
    draw_samples(model)
    draw_photo_albedo(model)
    draw_rendered_heads(model)
    draw_profiling(model)


if __name__ == "__main__":
    main()
