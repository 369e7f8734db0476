"""The supervised objective: from coefficient vectors and labels to one number."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mlanet.coefficients import CoefficientLayout, Coefficients
from mlanet.errors import ConfigurationError
from mlanet.geometry import (
    Camera,
    MeshTopology,
    Pose,
    decode_lighting,
    decode_pose,
    landmarks_in_pixels,
    shading,
    vertex_normals,
    viewer_from_camera,
)
from mlanet.losses import (
    aperture_distance,
    coefficient_prior,
    colors_at_vertices,
    landmark_distance,
    light_regularizer,
    photometric_distance,
)
from mlanet.morphable import LinearShape, MorphableModel, linear_combination
from mlanet.training.config import TrainingConfig

FACING = 0.15
"""Smallest cosine between a vertex' normal and the view at which its colour is compared."""


class Objective(nn.Module):
    """Decodes coefficients with the face model and compares with labels and pixels.

    Holds the model's arrays as buffers, so that moving it moves everything.

    Raises:
        ConfigurationError: the network's layout is not the face model's.
    """

    def __init__(
        self, model: MorphableModel, layout: CoefficientLayout, config: TrainingConfig
    ) -> None:
        super().__init__()
        if layout != model.layout:
            raise ConfigurationError(
                f"preset: regresses {layout}, the face model has {model.layout}"
            )
        self.layout = layout
        self.config = config
        topology = MeshTopology(model.base_faces, len(model.base_uv))
        skin = np.maximum.reduce([model.regions[n] for n in ("face", "eyes")]) > 0.5
        arrays = {
            "landmark_mean": model.landmarks.mean,
            "landmark_identity": model.landmarks.identity,
            "landmark_expression": model.landmarks.expression,
            "mean": model.shape.mean,
            "identity": model.shape.identity,
            "expression": model.shape.expression,
            "albedo_mean": model.albedo_mean,
            "albedo_basis": model.albedo_basis,
            "faces": topology.faces.astype(np.int64),
            "faces_of_vertex": topology.faces_of_vertex.astype(np.int64),
            "skin": np.flatnonzero(skin),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))

    def landmarks_px(self, coefficients: Coefficients, size: int) -> Float[Tensor, "b 68 3"]:
        """Landmarks of the posed model in pixels of a crop of `size` pixels."""
        shape = LinearShape(
            *(self.get_buffer(f"landmark_{part}") for part in ("mean", "identity", "expression"))
        )
        points = shape(coefficients.identity, coefficients.expression)
        return landmarks_in_pixels(Camera.of_crop(size), self.pose(coefficients), points)

    def pose(self, coefficients: Coefficients) -> Pose:
        """The decoded pose."""
        return decode_pose(coefficients.rotation, coefficients.translation, self.layout.rotation)

    def forward(
        self,
        vector: Float[Tensor, "b n"],
        images: Float[Tensor, "b 3 s s"],
        landmarks_px: Float[Tensor, "b 68 3"],
        size_px: Float[Tensor, "b"],
        weight: Float[Tensor, "b 68"],
        has_depth: Float[Tensor, "b"],
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, and its terms before weighting for the log."""
        coefficients = self.layout.split(vector)
        predicted = self.landmarks_px(coefficients, images.shape[-1])
        lighting = decode_lighting(coefficients.lighting)
        terms = {
            "landmarks": landmark_distance(predicted, landmarks_px, size_px, weight, has_depth),
            "apertures": aperture_distance(predicted, landmarks_px, size_px),
            "identity_prior": coefficient_prior(coefficients.identity, 1.0),
            "expression_prior": coefficient_prior(
                coefficients.expression, self.config.expression_deviation
            ),
            "photometric": self.photometric(coefficients, lighting, images),
            "albedo_prior": coefficient_prior(coefficients.albedo, 1.0),
            "light": light_regularizer(lighting),
            "light_prior": coefficient_prior(coefficients.lighting, 1.0),
        }
        total = torch.stack(
            [getattr(self.config.weights, name) * term.mean() for name, term in terms.items()]
        ).sum()
        return total, {name: float(term.detach().mean()) for name, term in terms.items()}

    def photometric(
        self,
        coefficients: Coefficients,
        lighting: Float[Tensor, "b 9 3"],
        images: Float[Tensor, "b 3 s s"],
    ) -> Float[Tensor, "b"]:
        """Colour distance at visible vertices of the face; no gradient reaches the geometry."""
        with torch.no_grad():
            shape = LinearShape(
                self.get_buffer("mean"), self.get_buffer("identity"), self.get_buffer("expression")
            )
            pose = self.pose(coefficients)
            vertices = pose.apply(shape(coefficients.identity, coefficients.expression))
            outward = vertex_normals(
                vertices, self.get_buffer("faces"), self.get_buffer("faces_of_vertex")
            )
            skin = self.get_buffer("skin")
            normals, points = outward[:, skin], vertices[:, skin]
            view = -points / points.norm(dim=-1, keepdim=True)
            facing = (normals * view).sum(dim=-1) > FACING
            size = images.shape[-1]
            xy = Camera.of_crop(size).project(points)[..., :2]
            inside = ((xy > 0) & (xy < size)).all(dim=-1)
            observed = colors_at_vertices(images, xy)
            visible = (facing & inside & (observed.sum(dim=-1) > 0.02)).float()
            viewer = viewer_from_camera(normals.transpose(1, 2)).transpose(1, 2)
        basis = self.get_buffer("albedo_basis")[skin]
        mean = self.get_buffer("albedo_mean")[skin]
        albedo = linear_combination(mean, basis, coefficients.albedo)
        return photometric_distance(albedo * shading(viewer, lighting), observed, visible)
