"""A face model in tensors: from coefficients to points, colours and pictures, with gradients."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mlanet.coefficients import Coefficients, RotationKind
from mlanet.geometry import (
    Camera,
    MeshTopology,
    Pose,
    decode_lighting,
    decode_pose,
    landmarks_in_pixels,
)
from mlanet.morphable import LinearShape, MorphableModel, linear_combination
from mlanet.render import Renderer, Rendering

GREY = 0.6
"""Albedo (sRGB) of face models that have none."""

COVERED = 0.99
"""Share of a pixel that the face must cover to show it alone."""


class DifferentiableFace(nn.Module):
    """Decodes coefficients, and draws the base mesh as the crop's camera sees it.

    The arrays are buffers, so that moving the module moves them all. The mesh is not subdivided: a
    crop has fewer pixels than the base mesh has triangles. All methods take batches of coefficients
    `(b, n)`, as tensors on the module's device.

    Args:
        model: the face model; with the regions `face`, `eyes` and `mouth`.
        rotation: kind of the coefficients' rotation.

    Attributes:
        model: the face model.
        layout: of the coefficients: the model's with this rotation.
        topology: of the base mesh.
    """

    mean: Float[Tensor, "v 3"]
    identity: Float[Tensor, "v 3 i"]
    expression: Float[Tensor, "v 3 e"]
    landmark_mean: Float[Tensor, "68 3"]
    landmark_identity: Float[Tensor, "68 3 i"]
    landmark_expression: Float[Tensor, "68 3 e"]
    albedo_mean: Float[Tensor, "v 3"]
    albedo_basis: Float[Tensor, "v 3 a"]
    skin: Float[Tensor, "v"]

    def __init__(self, model: MorphableModel, rotation: RotationKind = "6d") -> None:
        super().__init__()
        self.model = model
        self.layout = replace(model.layout, rotation=rotation)
        self.topology = MeshTopology(model.base_faces, model.num_base_vertices)
        grey = np.full((model.num_base_vertices, 3), GREY, np.float32)
        parts = ("mean", "identity", "expression")
        arrays = {part: getattr(model.shape, part) for part in parts}
        arrays |= {f"landmark_{part}": getattr(model.landmarks, part) for part in parts}
        arrays |= {
            "albedo_mean": model.albedo_mean if model.has_albedo else grey,
            "albedo_basis": model.albedo_basis if model.has_albedo else grey[..., None][..., :0],
            "skin": (outer_skin(model) * (1.0 - model.regions["mouth"])).astype(np.float32),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))

    def pose(self, coefficients: Coefficients) -> Pose:
        """Model to camera, mm."""
        return decode_pose(coefficients.rotation, coefficients.translation, self.layout.rotation)

    def vertices(self, coefficients: Coefficients) -> Float[Tensor, "b v 3"]:
        """Base vertices in the model frame, mm."""
        shape = LinearShape(self.mean, self.identity, self.expression)
        return shape(coefficients.identity, coefficients.expression)

    def neutral_vertices(
        self, coefficients: Coefficients, only: Int[Tensor, "n"] | None = None
    ) -> Float[Tensor, "b n 3"]:
        """Base vertices without expression in the model frame, mm; all of them, or `only` these."""
        rows = slice(None) if only is None else only
        return linear_combination(self.mean[rows], self.identity[rows], coefficients.identity)

    def albedo(
        self, coefficients: Coefficients, only: Int[Tensor, "n"] | None = None
    ) -> Float[Tensor, "b n 3"]:
        """Albedo (sRGB, not clipped) at the base vertices; at all of them, or `only` these."""
        rows = slice(None) if only is None else only
        return linear_combination(
            self.albedo_mean[rows], self.albedo_basis[rows], coefficients.albedo
        )

    def landmarks_px(
        self, coefficients: Coefficients, size: int, shape: LinearShape | None = None
    ) -> Float[Tensor, "b n 3"]:
        """The 68 landmarks, or the points of another `shape`, in a crop of `size` pixels.

        x and y in pixels, z in the same scale towards the viewer (`landmarks_in_pixels`).
        """
        shape = shape or LinearShape(
            self.landmark_mean, self.landmark_identity, self.landmark_expression
        )
        points = shape(coefficients.identity, coefficients.expression)
        return landmarks_in_pixels(Camera.of_crop(size), self.pose(coefficients), points)

    def draw(
        self,
        coefficients: Coefficients,
        size: int,
        background: Float[Tensor, "b s s 3"] | None = None,
    ) -> Float[Tensor, "b s s 3"]:
        """Pictures (sRGB, not clipped) of the lit face in crops of `size` pixels."""
        albedo = self.albedo(coefficients).clamp(0.0, 1.0)
        lighting = decode_lighting(coefficients.lighting)
        return self._rendering(coefficients, size, albedo, lighting, background).image

    @torch.no_grad()
    def visible_skin(self, coefficients: Coefficients, size: int) -> Float[Tensor, "b s s"]:
        """How much of each pixel shows the face's skin, in [0, 1]; zero on its outline.

        It carries no gradient: a face that is fitted shall not shrink to be less wrong.
        """
        skin = self.skin[None, :, None].expand(len(coefficients.identity), -1, 3)
        drawn = self._rendering(coefficients, size, skin)
        return drawn.image[..., 0] * (drawn.mask > COVERED)

    def _rendering(
        self,
        coefficients: Coefficients,
        size: int,
        albedo: Float[Tensor, "b v 3"],
        lighting: Float[Tensor, "b 9 3"] | None = None,
        background: Float[Tensor, "b s s 3"] | None = None,
    ) -> Rendering:
        renderer = Renderer(self.topology, (size, size), normals=False)
        vertices, pose = self.vertices(coefficients), self.pose(coefficients)
        camera = Camera.of_crop(size)
        return renderer(vertices, pose, camera, lighting, albedo=albedo, background=background)


def outer_skin(model: MorphableModel) -> Float[np.ndarray, "v"]:
    """Which base vertices belong to face or eyes, in [0, 1]; the mouth's inside included."""
    return np.maximum(model.regions["face"], model.regions["eyes"])
