"""An avatar before a camera, in a studio's light: the frames of films."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.export import AvatarFile
from mlanet.geometry import (
    AMBIENT_WHITE,
    Camera,
    Mesh,
    MeshTopology,
    Pose,
    harmonics_basis,
    matrix_from_euler,
    viewer_from_camera,
)
from mlanet.render import Renderer
from mlanet.texturing import LongHair, TexturedMesh

DISTANCE_MM, HEIGHT_MM = 1100.0, 292.0
"""How far away the camera is, and how high what it sees there."""

CENTRE_MM = (0.0, 14.0, 20.0)
"""Point of the head at rest in the middle of the picture: the neck's end lies below it."""

SAMPLES = 1.5
"""Along a pixel's side."""

AMBIENT = 0.74
LIGHTS = (((0.45, 0.55, 0.75), (0.25, 0.24, 0.225)), ((-0.8, 0.25, -0.35), (0.10, 0.12, 0.15)))
"""Where light comes from, x to the viewer's right, y up, z from the front, and how much: one warm
from above the viewer's right shoulder, one cool from behind. Soft, for textures have light of their
own."""

NEAR_COLOR, FAR_COLOR = (236, 232, 226), (168, 170, 176)
"""Of the backdrop, in the middle and at the corners."""

GRAIN = 0.8
"""Of the picture, of 255."""

STILL_MM, MOVING_MM = -140.0, -64.0
"""Below the first height the neck keeps still, above the second it moves with the head. Heights are
in a frame that leans forward, so that the chin lies above the throat."""

LEAN = 0.5
"""Height for each millimetre forward."""

REACH_MM = 25.0
"""How far the head goes from its place at most: farther movements are made smaller."""


@dataclass(frozen=True)
class Stage:
    """Where an avatar is filmed.

    Attributes:
        avatar: who.
        size: height and width of the pictures in pixels.
    """

    avatar: AvatarFile
    size: tuple[int, int] = (720, 720)

    def draw(
        self,
        expression: Float[np.ndarray, "e"],
        rotation: Float[np.ndarray, "3 3"],
        offset_mm: Float[np.ndarray, "3"],
        turn_deg: float = 0.0,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """A picture of the head.

        The neck's end keeps its place, and the neck follows the head.

        Args:
            expression: weights.
            rotation: of the head, from the model frame to the viewer's before the camera turns.
            offset_mm: of the head, in the same frame.
            turn_deg: how far the camera went around the head, to the viewer's right.
        """
        import cv2

        worn = self._dressed.mesh.vertices
        head = worn.copy()
        head[: len(self.avatar.rest)] = self.avatar.vertices(expression)
        share = _share_of_head(worn)[:, None]
        moved = REACH_MM * np.tanh(offset_mm / REACH_MM)
        points = (1.0 - share) * head + share * (head @ rotation.T + moved)
        height, width = self._grid
        turn = matrix_from_euler(np.radians([0.0, turn_deg, 0.0]))
        place = np.array([0.0, 0.0, DISTANCE_MM]) - turn @ np.array(CENTRE_MM)
        drawn = self._renderer(
            points.astype(np.float32),
            Pose(turn.astype(np.float32), place.astype(np.float32)),
            Camera(height * DISTANCE_MM / HEIGHT_MM, (width / 2.0, height / 2.0)),
            studio_light(turn),
            texture=self._texture,
            background=self._backdrop,
        )
        picture = cv2.resize(drawn.image, self.size[::-1], interpolation=cv2.INTER_AREA)
        return np.rint(np.clip(picture * 255.0 + self._grain, 0.0, 255.0)).astype(np.uint8)

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of samples."""
        return round(SAMPLES * self.size[0]), round(SAMPLES * self.size[1])

    @cached_property
    def _texture(self) -> Float[np.ndarray, "h w 3"]:
        return self._dressed.texture.astype(np.float32) / np.float32(255.0)

    @cached_property
    def _dressed(self) -> TexturedMesh:
        """The person at rest, and long hair after."""
        avatar, hair = self.avatar, self.avatar.long_hair
        mesh = Mesh(avatar.rest, avatar.faces, uv=avatar.uv, uv_faces=avatar.uv_faces)
        bare = TexturedMesh(mesh, avatar.texture)
        if hair is None:
            return bare
        return bare.with_hair(
            LongHair(hair.vertices, hair.normals, hair.faces, hair.uv, hair.texture)
        )

    @cached_property
    def _renderer(self) -> Renderer:
        mesh = self._dressed.mesh
        assert mesh.uv is not None
        return Renderer(
            MeshTopology(mesh.faces, len(mesh.vertices)),
            self._grid,
            uv=mesh.uv.astype(np.float32),
            uv_faces=mesh.uv_faces,
            normals=False,
        )

    @cached_property
    def _backdrop(self) -> Float[np.ndarray, "h w 3"]:
        """Lighter behind the head."""
        height, width = self._grid
        y, x = np.mgrid[:height, :width] + 0.5
        middle = np.hypot(x / width - 0.5, 0.9 * (y / height - 0.42)) / 0.62
        share = np.clip(middle, 0.0, 1.0)[..., None] ** 1.6
        colors = (1.0 - share) * np.array(NEAR_COLOR) + share * np.array(FAR_COLOR)
        return (colors / 255.0).astype(np.float32)

    @cached_property
    def _grain(self) -> Float[np.ndarray, "h w 1"]:
        """Keeps gradients from showing steps."""
        grain = np.random.default_rng(0).uniform(-GRAIN, GRAIN, (*self.size, 1))
        return grain.astype(np.float32)


def studio_light(turn: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "9 3"]:
    """The studio's lights as a camera sees them that was turned; harmonics, viewer's frame."""
    lighting = np.zeros((9, 3))
    lighting[0] = AMBIENT * AMBIENT_WHITE
    viewer = viewer_from_camera(turn)
    for direction, color in LIGHTS:
        seen = viewer @ (np.array(direction) / np.linalg.norm(direction))
        lobe = harmonics_basis(seen[None])[0] * (4.0 * np.pi / 4.25)
        lighting += lobe[:, None] * np.array(color)
    return lighting.astype(np.float32)


def _share_of_head(rest: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v"]:
    """How much vertices move with the head, smoothly."""
    height_mm = rest[:, 1] + LEAN * rest[:, 2]
    share = np.clip((height_mm - STILL_MM) / (MOVING_MM - STILL_MM), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
