"""Pictures of an evaluation: faces with the largest errors, and random ones."""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.evaluation.aflw2000 import framed_face
from mlanet.evaluation.report import AFLW2000Report, ImageResult
from mlanet.geometry import Camera, Pose, matrix_from_euler
from mlanet.image import crop_square, draw_points, square_from_landmarks
from mlanet.image.crop import square_transform
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.render import PosedHead, Renderer

TILE_PX = 200
TRUTH_COLOR = (255, 140, 0)
PREDICTED_COLOR = (40, 200, 80)
GREY = 235
CLAY = 0.85
TURN_DEG = 50.0
"""How far the other view is turned about the vertical axis."""

JPEG_QUALITY = 88
FACE_COLUMNS = ("overlay", "shape", "textured", "other view")
"""Of `face_tiles`."""

COLUMNS = ("photo", "annotation", *FACE_COLUMNS)
"""Of reconstructions: the photo, the annotation's points on it, then what mlanet made of it."""

POINTS_COLUMNS = ("photo", "annotation", "prediction")
"""Of other methods' predictions, which have points only."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceRow:
    """The pictures of one face, and what is written beside them."""

    result: ImageResult
    tiles: tuple[UInt8[np.ndarray, "t t 3"], ...]

    @property
    def strip(self) -> UInt8[np.ndarray, "t w 3"]:
        """All tiles side by side."""
        return np.concatenate(self.tiles, axis=1)


def face_rows(
    results: Sequence[ImageResult],
    report: AFLW2000Report,
    reconstructor: Reconstructor | None,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    workers: int = 1,
) -> list[FaceRow]:
    """Pictures of each of those results.

    With a reconstructor its faces are drawn as `COLUMNS`, else the scored points as
    `POINTS_COLUMNS`, by that many threads.
    """

    def row(result: ImageResult) -> FaceRow:
        return face_row(result, report, reconstructor, dataset, annotations)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(row, results))


def face_row(
    result: ImageResult,
    report: AFLW2000Report,
    reconstructor: Reconstructor | None,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
) -> FaceRow:
    """The photo, with the annotation, then the prediction, side by side; grey if it was missed."""
    row = annotations.names.index(result.name)
    truth: Float[np.ndarray, "68 2"] = annotations.landmarks_2d_px(report.annotation)[row]
    image = dataset[dataset.index_of[result.name]].image
    radius = max(float(np.ptp(truth, axis=0).max()) / 120.0, 0.6)
    square = square_from_landmarks(truth)

    def tile(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "t t 3"]:
        return crop_square(picture, square, TILE_PX).image

    known = tile(image), tile(draw_points(image, truth, TRUTH_COLOR, radius))
    if result.nme_2d_68 is None:
        columns = POINTS_COLUMNS if reconstructor is None else COLUMNS
        return FaceRow(result, (*known, *[grey_tile()] * (len(columns) - len(known))))
    if reconstructor is None:
        assert result.landmarks_px is not None, "the face was found"
        points = result.landmarks_px[:, :2]
        return FaceRow(result, (*known, tile(draw_points(image, points, PREDICTED_COLOR, radius))))
    roi = annotations.roi_box_px[row]
    framed = framed_face(reconstructor, image, roi, truth, report.crop)
    assert framed is not None, "the face was found before"
    face = reconstructor.predict_in_box(image, *framed)
    return FaceRow(result, (*known, *face_tiles(face, square)))


def face_tiles(
    face: Reconstruction, square: Float[np.ndarray, "4"]
) -> tuple[UInt8[np.ndarray, "t t 3"], ...]:
    """What a square of the photo shows of a face (`FACE_COLUMNS`), the other view uncropped."""
    flat = [crop_square(face.draw(kind), square, TILE_PX).image for kind in ("overlay", "shape")]
    turn = TURN_DEG if face.euler_deg[1] < 0 else -TURN_DEG
    return (*flat, textured(face, square), turned(face, turn))


def grey_tile() -> UInt8[np.ndarray, "t t 3"]:
    """Instead of a picture that there is not."""
    return np.full((TILE_PX, TILE_PX, 3), GREY, np.uint8)


def drawn_by_lot(names: Iterable[str], number: int) -> list[str]:
    """At most so many names, in their order.

    The choice depends on the names alone, so that every method that has them shows the same.
    """
    every = list(names)
    chosen = sorted(every, key=lambda name: sha256(name.encode()).digest())[:number]
    return [name for name in every if name in chosen]


def textured(face: Reconstruction, square: Float[np.ndarray, "4"]) -> UInt8[np.ndarray, "t t 3"]:
    """What a square of the photo shows of the face, in its own texture, on plain grey.

    Faces of a model that cannot have a texture are drawn as clay, here and in `turned`.
    """
    return _with_texture(face, face.head, square)


def turned(face: Reconstruction, degrees: float) -> UInt8[np.ndarray, "t t 3"]:
    """The whole textured face turned about the vertical axis through its middle."""
    turn = np.asarray(matrix_from_euler(np.radians([0.0, degrees, 0.0])))
    turn = turn @ np.diag([1.0, -1.0, -1.0])  # a motion within the camera's frame
    points = face.head.points
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0
    pose = Pose(turn @ face.pose.rotation, turn @ (face.pose.translation - middle) + middle)
    head = PosedHead(face.model, face.mesh.vertices, pose, face.camera)
    low, high = head.projected[:, :2].min(axis=0), head.projected[:, :2].max(axis=0)
    center, half = (low + high) / 2.0, 1.05 * float((high - low).max()) / 2.0
    return _with_texture(face, head, np.concatenate([center - half, center + half]))


def jpeg(picture: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A picture's file."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


def _with_texture(
    face: Reconstruction, head: PosedHead, square: Float[np.ndarray, "4"]
) -> UInt8[np.ndarray, "t t 3"]:
    model = face.model
    tile_from_image = square_transform(square, TILE_PX)
    scale, (x, y) = tile_from_image[0, 0], head.camera.principal_point_px
    camera = Camera(
        float(head.camera.focal_length_px * scale),
        (float(x * scale + tile_from_image[0, 2]), float(y * scale + tile_from_image[1, 2])),
    )
    size = (TILE_PX, TILE_PX)
    vertices = np.asarray(head.vertices, dtype=np.float32)
    background = np.full((*size, 3), GREY / 255.0, dtype=np.float32)
    if face.has_texture:
        renderer = Renderer(model.topology, size, model.uv, model.uv_faces, normals=False)
        texture = face.texture.image.astype(np.float32) / 255.0
        drawn = renderer(vertices, head.pose, camera, texture=texture, background=background).image
    else:  # clay in the light that was found
        renderer = Renderer(model.topology, size, normals=False)
        clay = np.full_like(vertices, CLAY)
        drawn = renderer(
            vertices, head.pose, camera, face.lighting, albedo=clay, background=background
        ).image
    return np.rint(np.clip(drawn, 0.0, 1.0) * 255.0).astype(np.uint8)
