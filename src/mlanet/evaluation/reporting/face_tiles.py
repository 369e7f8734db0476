"""Small pictures of one face, for grids in reports."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import Camera, MeshTopology, Pose, matrix_from_euler
from mlanet.image import crop_square
from mlanet.image.crop import square_transform
from mlanet.reconstruction import Reconstruction
from mlanet.render import Renderer

TILE_PX = 200
TRUTH_COLOR = (255, 140, 0)
PREDICTED_COLOR = (40, 200, 80)
GREY = 235
CLAY = 0.85
TURN_DEG = 50.0
"""How far the other view is turned about the vertical axis."""

FACE_COLUMNS = ("overlay", "shape", "textured", "other view")
"""Of `face_tiles`."""


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
    return _with_texture(face, face.pose, square)


def turned(face: Reconstruction, degrees: float) -> UInt8[np.ndarray, "t t 3"]:
    """The whole textured face turned about the vertical axis through its middle."""
    turn = np.asarray(matrix_from_euler(np.radians([0.0, degrees, 0.0])))
    turn = turn @ np.diag([1.0, -1.0, -1.0])  # a motion within the camera's frame
    points = face.head.points
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0
    pose = Pose(turn @ face.pose.rotation, turn @ (face.pose.translation - middle) + middle)
    vertices = face.dressed.mesh.vertices if face.has_texture else face.vertices
    places = face.camera.project(pose.apply(np.asarray(vertices, np.float64)))[:, :2]
    low, high = places.min(axis=0), places.max(axis=0)
    center, half = (low + high) / 2.0, 1.05 * float((high - low).max()) / 2.0
    return _with_texture(face, pose, np.concatenate([center - half, center + half]))


def _with_texture(
    face: Reconstruction, pose: Pose, square: Float[np.ndarray, "4"]
) -> UInt8[np.ndarray, "t t 3"]:
    tile_from_image = square_transform(square, TILE_PX)
    scale, (x, y) = tile_from_image[0, 0], face.camera.principal_point_px
    camera = Camera(
        float(face.camera.focal_length_px * scale),
        (float(x * scale + tile_from_image[0, 2]), float(y * scale + tile_from_image[1, 2])),
    )
    size = (TILE_PX, TILE_PX)
    background = np.full((*size, 3), GREY / 255.0, dtype=np.float32)
    if face.has_texture:
        mesh = face.dressed.mesh
        topology = MeshTopology(mesh.faces, len(mesh.vertices))
        renderer = Renderer(topology, size, mesh.uv, mesh.uv_faces, normals=False)
        texture = face.dressed.texture.astype(np.float32) / 255.0
        vertices = mesh.vertices.astype(np.float32)
        drawn = renderer(vertices, pose, camera, texture=texture, background=background).image
    else:  # clay in the light that was found
        renderer = Renderer(face.model.topology, size, normals=False)
        vertices = np.asarray(face.vertices, dtype=np.float32)
        clay = np.full_like(vertices, CLAY)
        drawn = renderer(
            vertices, pose, camera, face.lighting, albedo=clay, background=background
        ).image
    return np.rint(np.clip(drawn, 0.0, 1.0) * 255.0).astype(np.uint8)
