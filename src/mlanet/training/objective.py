"""The objective of labelled samples: from coefficient vectors and labels to one number."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mlanet.coefficients import CoefficientLayout, Coefficients
from mlanet.differentiable_face import DifferentiableFace, outer_skin
from mlanet.errors import ConfigurationError
from mlanet.geometry import (
    Camera,
    decode_lighting,
    euler_from_matrix,
    matrix_from_6d,
    shading,
    viewer_from_camera,
)
from mlanet.losses import (
    Term,
    aperture_distance,
    block_weight,
    coefficient_distance,
    coefficient_prior,
    color_distance,
    colors_at_vertices,
    emphasised_landmark_distance,
    inside_photo,
    landmark_distance,
    person_contrast,
    prior_terms,
    shape_distance,
    side_distance,
    standardized_distance,
    variance_likelihood,
    vertex_distance,
    weighted_coefficient_distance,
    weighted_sum,
    wing_distance,
)
from mlanet.morphable import MorphableModel
from mlanet.render import viewer_normals
from mlanet.training.config import TrainingConfig
from mlanet.training.samples import Samples

FACING = 0.15
"""Smallest cosine between a vertex' normal and the view at which its colour is compared."""

EMPHASISED = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")
"""Expressions that `emphasised_expressions` compares."""

EMPHASISED_CROP = 224.0
"""Side in pixels of the crop in whose pixels Deng et al. measure landmarks."""

WING_CROP = 256.0
"""The same for Wing (`wing_distance`)."""

SOFTENING = 1e-5
"""Of the distances of colours at vertices (`color_distance`)."""


class Objective(nn.Module):
    """Terms of labels and of pixels (`LossWeights`).

    Args:
        model: the face model.
        layout: of the network's coefficients: the model's, with rotations of any kind.
        config: of the run.

    Raises:
        ConfigurationError: the network's layout is not the face model's.
    """

    coefficient_weight: Float[Tensor, "n"]
    seen_skin: Int[Tensor, "k"]
    inner_face: Int[Tensor, "k"]
    sides: Int[Tensor, "2 k"]
    emphasised: Int[Tensor, "k"]

    def __init__(
        self, model: MorphableModel, layout: CoefficientLayout, config: TrainingConfig
    ) -> None:
        super().__init__()
        self.face, self.config = DifferentiableFace(model, layout.rotation), config
        if layout != self.face.layout:
            raise ConfigurationError(
                f"preset: regresses {layout}, the face model has {model.layout}"
            )
        self.model_name = model.name
        weight = block_weight(layout, asdict(config.block_weights), asdict(config.block_deviations))
        self.register_buffer("coefficient_weight", weight)
        for name, weights in (
            ("seen_skin", outer_skin(model)),
            ("inner_face", model.regions["face"]),
        ):
            self.register_buffer(name, torch.from_numpy(np.flatnonzero(weights > 0.5)))
        self.register_buffer("sides", torch.from_numpy(paired_sides(model.expression_names)))
        emphasised = [k for k, name in enumerate(model.expression_names) if name in EMPHASISED]
        self.register_buffer("emphasised", torch.tensor(emphasised, dtype=torch.long))

    def forward(
        self,
        vector: Float[Tensor, "b n"],
        images: Float[Tensor, "b 3 s s"],
        samples: Samples,
        log_variances: Float[Tensor, "b 68"] | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, and its terms before weighting for the log.

        Args:
            vector: the network's answers.
            images: the crops, RGB in [0, 1].
            samples: their labels.
            log_variances: the network's answers, too, where it has them.
        """
        landmarks_px, size_px, weight = samples.landmarks_px, samples.size_px, samples.weight
        config, size = self.config, images.shape[-1]
        found = self.face.layout.split(vector)
        predicted = self.face.landmarks_px(found, size)
        xy, wanted = predicted[..., :2], landmarks_px[..., :2]
        deng, wing = EMPHASISED_CROP / size, WING_CROP / size
        terms: dict[str, Term] = {
            "landmarks": lambda: landmark_distance(
                predicted, landmarks_px, size_px, weight, samples.has_depth, config.landmark_depth
            ),
            "apertures": lambda: aperture_distance(predicted, landmarks_px, size_px),
            "emphasised_landmarks": lambda: emphasised_landmark_distance(
                xy * deng, wanted * deng, weight
            ),
            "wing": lambda: wing_distance(xy * wing, wanted * wing, weight),
            "photometric": lambda: self.photometric(found, images),
        }
        if log_variances is not None:
            percent = 100.0 * (xy - wanted).detach() / size_px[:, None, None]
            terms["likelihood"] = lambda: variance_likelihood(
                percent.square().sum(dim=-1), log_variances, weight
            )
        terms |= prior_terms(found, config.expression_deviation)
        terms |= self.coefficient_terms(vector, samples.coefficients, samples.known)
        terms["people"] = lambda: person_contrast(found.identity, samples.person)
        if config.trained == "uncertainty":  # nothing else can move
            terms = {"likelihood": terms["likelihood"]}
        return weighted_sum(terms, config.weights, vector.sum() * 0.0)

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
        face = self.face
        if face.layout != face.model.layout:
            values, known = with_euler_angles(values, known, face.model.layout, face.layout)
        wanted = torch.where(known > 0, values, vector.detach())

        def decode(vectors: Float[Tensor, "m n"]) -> Float[Tensor, "m 68 3"]:
            return face.landmarks_px(face.layout.split(vectors), 1)

        mine, theirs = face.layout.split(vector), face.layout.split(wanted)
        identity, expression = (
            known[:, face.layout.slices[name]].all(dim=1).to(known.dtype)
            for name in ("identity", "expression")
        )

        def vertices() -> Float[Tensor, "b"]:
            distance = vertex_distance(face.vertices(mine), face.vertices(theirs))
            return identity * expression * distance

        def shape() -> Float[Tensor, "b"]:
            shapes = (face.neutral_vertices(one, self.inner_face) for one in (mine, theirs))
            return identity * shape_distance(*shapes)

        def sides() -> Float[Tensor, "b"]:
            apart = side_distance(mine.expression, theirs.expression, self.sides)
            return expression * apart / self.config.block_deviations.expression**2

        def emphasised() -> Float[Tensor, "b"]:
            apart = (mine.expression - theirs.expression)[:, self.emphasised]
            return coefficient_prior(apart, self.config.block_deviations.expression)

        return {
            "coefficients": lambda: coefficient_distance(vector, wanted),
            "standardized_coefficients": lambda: standardized_distance(
                vector, wanted, self.coefficient_weight
            ),
            "weighted_coefficients": lambda: weighted_coefficient_distance(vector, wanted, decode),
            "vertices": vertices,
            "shape": shape,
            "sides": sides,
            "emphasised_expressions": emphasised,
        }

    def photometric(
        self, coefficients: Coefficients, images: Float[Tensor, "b 3 s s"]
    ) -> Float[Tensor, "b"]:
        """Colour distance at visible vertices of the face; no gradient reaches the geometry."""
        face, skin, size = self.face, self.seen_skin, images.shape[-1]
        with torch.no_grad():
            vertices = face.pose(coefficients).apply(face.vertices(coefficients))
            normals, points = viewer_normals(vertices, face.topology)[:, skin], vertices[:, skin]
            to_viewer = -viewer_from_camera(points.mT).mT / points.norm(dim=-1, keepdim=True)
            facing = (normals * to_viewer).sum(dim=-1) > FACING
            xy = Camera.of_crop(size).project(points)[..., :2]
            inside = ((xy > 0) & (xy < size)).all(dim=-1)
            observed = colors_at_vertices(images, xy)
            visible = facing * inside * inside_photo(observed)
        light = shading(normals, decode_lighting(coefficients.lighting))
        lit = face.albedo(coefficients, skin) * light
        return color_distance(lit, observed, visible, SOFTENING)


def paired_sides(names: Sequence[str]) -> Int[np.ndarray, "2 k"]:
    """Places of the expressions of the left side, and of the same ones of the right."""
    places = {name: place for place, name in enumerate(names)}
    left = [name for name in names if name.endswith("Left")]
    pairs = [(name, f"{name.removesuffix('Left')}Right") for name in left]
    both = [[places[one], places[other]] for one, other in pairs if other in places]
    return np.array(both, np.int64).reshape(-1, 2).T.copy()


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
