"""The objective of labelled samples: from coefficient vectors and labels to one number."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from mlanet.coefficients import CoefficientLayout, Coefficients
from mlanet.geometry import (
    Camera,
    decode_lighting,
    euler_from_matrix,
    matrix_from_6d,
    shading,
    vertex_normals,
    viewer_from_camera,
)
from mlanet.losses import (
    aperture_distance,
    block_weight,
    coefficient_distance,
    coefficient_prior,
    colors_at_vertices,
    emphasised_weights,
    landmark_distance,
    light_regularizer,
    photometric_distance,
    shape_distance,
    standardized_distance,
    vertex_distance,
    weighted_coefficient_distance,
    weighted_landmark_distance,
    wing_distance,
)
from mlanet.morphable import MorphableModel, linear_combination
from mlanet.training.config import TrainingConfig
from mlanet.training.face import FaceTensors
from mlanet.training.samples import Samples
from mlanet.training.terms import LossWeights, RenderedWeights

FACING = 0.15
"""Smallest cosine between a vertex' normal and the view at which its colour is compared."""

EMPHASISED_CROP = 224.0
"""Side in pixels of the crop in whose pixels Deng et al. measure landmarks."""

WING_CROP = 256.0
"""The same for Wing (`wing_distance`)."""

Term: TypeAlias = Callable[[], Float[Tensor, "b"]]
"""Computes a term of each sample when it is asked for."""


class Objective(FaceTensors):
    """Decodes coefficients with the face model and compares with labels and pixels.

    Raises:
        ConfigurationError: the network's layout is not the face model's.
    """

    def __init__(
        self, model: MorphableModel, layout: CoefficientLayout, config: TrainingConfig
    ) -> None:
        super().__init__(model, layout)
        self.config = config
        weight = block_weight(layout, asdict(config.block_weights), asdict(config.block_deviations))
        self.register_buffer("coefficient_weight", weight, persistent=False)

    def forward(
        self,
        vector: Float[Tensor, "b n"],
        images: Float[Tensor, "b 3 s s"],
        samples: Samples,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, and its terms before weighting for the log.

        Args:
            vector: the network's answers.
            images: the crops, RGB in [0, 1].
            samples: their labels.
        """
        landmarks_px, size_px, weight = samples.landmarks_px, samples.size_px, samples.weight
        found = self.layout.split(vector)
        size = images.shape[-1]
        predicted = self.landmarks_px(found, size)
        lighting = decode_lighting(found.lighting)
        terms: dict[str, Term] = {
            "landmarks": lambda: landmark_distance(
                predicted,
                landmarks_px,
                size_px,
                weight,
                samples.has_depth,
                self.config.landmark_depth,
            ),
            "apertures": lambda: aperture_distance(predicted, landmarks_px, size_px),
            "emphasised_landmarks": lambda: weighted_landmark_distance(
                predicted[..., :2] * (EMPHASISED_CROP / size),
                landmarks_px[..., :2] * (EMPHASISED_CROP / size),
                emphasised_weights(predicted) * weight,
            ),
            "wing": lambda: wing_distance(
                predicted[..., :2] * (WING_CROP / size),
                landmarks_px[..., :2] * (WING_CROP / size),
                weight,
            ),
            "photometric": lambda: self.photometric(found, lighting, images),
        }
        terms |= prior_terms(found, lighting, self.config.expression_deviation)
        terms |= self.coefficient_terms(vector, samples.coefficients, samples.known)
        return weighted_sum(terms, self.config.weights, vector)

    def coefficient_terms(
        self,
        vector: Float[Tensor, "b n"],
        values: Float[Tensor, "b m"],
        known: Float[Tensor, "b m"],
    ) -> dict[str, Term]:
        """Distances from known coefficients; zero for samples and blocks where none are known.

        The mean over samples counts all of them, so that it does not depend on how they are
        spread over processes.
        """
        if self.layout != self.known_layout:
            values, known = with_euler_angles(values, known, self.known_layout, self.layout)
        wanted = torch.where(known > 0, values, vector.detach())

        def decode(vectors: Float[Tensor, "m n"]) -> Float[Tensor, "m 68 3"]:
            return self.landmarks_px(self.layout.split(vectors), 1)

        mine, theirs = self.layout.split(vector), self.layout.split(wanted)
        identity, expression = (
            known[:, self.layout.slices[name]].all(dim=1).to(known.dtype)
            for name in ("identity", "expression")
        )

        def vertices() -> Float[Tensor, "b"]:
            distance = vertex_distance(self.vertices(mine), self.vertices(theirs))
            return identity * expression * distance

        def shape() -> Float[Tensor, "b"]:
            return identity * shape_distance(self.face_shape(mine), self.face_shape(theirs))

        return {
            "coefficients": lambda: coefficient_distance(vector, wanted),
            "standardized_coefficients": lambda: standardized_distance(
                vector, wanted, self.get_buffer("coefficient_weight")
            ),
            "weighted_coefficients": lambda: weighted_coefficient_distance(vector, wanted, decode),
            "vertices": vertices,
            "shape": shape,
        }

    def photometric(
        self,
        coefficients: Coefficients,
        lighting: Float[Tensor, "b 9 3"],
        images: Float[Tensor, "b 3 s s"],
    ) -> Float[Tensor, "b"]:
        """Colour distance at visible vertices of the face; no gradient reaches the geometry."""
        skin = self.get_buffer("skin")
        with torch.no_grad():
            vertices = self.pose(coefficients).apply(self.vertices(coefficients))
            outward = vertex_normals(
                vertices, self.get_buffer("faces"), self.get_buffer("faces_of_vertex")
            )
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


def with_euler_angles(
    values: Float[Tensor, "b n"],
    known: Float[Tensor, "b n"],
    layout: CoefficientLayout,
    wanted: CoefficientLayout,
) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m"]]:
    """Coefficients and which of them are known, in a layout whose rotations are Euler angles."""
    blocks, known_blocks = layout.split(values), layout.split(known)
    angles = euler_from_matrix(matrix_from_6d(blocks.rotation))
    same = known_blocks.rotation.amin(dim=-1, keepdim=True).expand_as(angles)
    return (
        wanted.join(replace(blocks, rotation=torch.where(same > 0, angles, 0.0))),
        wanted.join(replace(known_blocks, rotation=same)),
    )


def prior_terms(
    coefficients: Coefficients, lighting: Float[Tensor, "b 9 3"], expression_deviation: float
) -> dict[str, Term]:
    """What is likely before any picture is seen."""
    return {
        "identity_prior": lambda: coefficient_prior(coefficients.identity, 1.0),
        "expression_prior": lambda: coefficient_prior(
            coefficients.expression, expression_deviation
        ),
        "albedo_prior": lambda: coefficient_prior(coefficients.albedo, 1.0),
        "light": lambda: light_regularizer(lighting),
        "light_prior": lambda: coefficient_prior(coefficients.lighting, 1.0),
    }


def weighted_sum(
    terms: Mapping[str, Term], weights: LossWeights | RenderedWeights, vector: Float[Tensor, "b n"]
) -> tuple[Tensor, dict[str, float]]:
    """Sum of the terms' means over the samples times their weights, and the means.

    Terms of weight 0 are not computed.
    """
    used = {name: term() for name, term in terms.items() if getattr(weights, name) > 0.0}
    parts = [getattr(weights, name) * term.mean() for name, term in used.items()]
    total = torch.stack(parts).sum() if parts else vector.sum() * 0.0
    return total, {name: float(term.detach().mean()) for name, term in used.items()}
