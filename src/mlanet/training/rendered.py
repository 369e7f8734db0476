"""The objective of unlabelled samples: draw the face, and compare it with the picture."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mlanet.coefficients import Coefficients
from mlanet.differentiable_face import DifferentiableFace
from mlanet.errors import AssetError, ConfigurationError
from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.losses import (
    Term,
    albedo_uniformity,
    edge_length_distance,
    flip_distance,
    identity_distance,
    prior_terms,
    robust_color_distance,
    symmetry_distance,
    weighted_sum,
)
from mlanet.training.aligned_faces import aligned_faces
from mlanet.training.config import TrainingConfig

OUTLIER = 0.3
"""Colour distance at which a pixel counts half: hair, glasses, hands."""

Embed = Callable[[Float[Tensor, "b 3 c c"]], Float[Tensor, "b n"]]
"""From aligned faces to what tells people apart."""


class RenderedObjective(nn.Module):
    """Terms that need no label (`RenderedWeights`), by the base mesh drawn at the crop's size.

    Args:
        face: the face model; shared with other objectives.
        config: of the run.
        embed: the network behind `identity_features`; dlib's if it is not given.

    Raises:
        ConfigurationError: `identity_features` has a weight, and dlib's network is not installed.
    """

    partner: Int[Tensor, "68"]
    mirror: Int[Tensor, "v"]
    edges: Int[Tensor, "e 2"]

    def __init__(
        self, face: DifferentiableFace, config: TrainingConfig, embed: Embed | None = None
    ) -> None:
        super().__init__()
        self.face, self.config, self.embed = face, config, embed
        if embed is None and config.unlabelled_weights.identity_features > 0.0:
            self.embed = load_face_net()
        self.register_buffer("partner", torch.from_numpy(MIRRORED_LANDMARKS).long())
        self.register_buffer("mirror", torch.from_numpy(face.model.mirror).long())
        self.register_buffer("edges", torch.from_numpy(face.topology.edges).long())

    def forward(
        self,
        vector: Float[Tensor, "b n"],
        images: Float[Tensor, "b 3 s s"],
        flipped: Float[Tensor, "b n"] | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss, and its terms before weighting for the log.

        Args:
            vector: the network's answers.
            images: the crops, RGB in [0, 1].
            flipped: its answers to the crops' mirror images, for the term `flip`.
        """
        weights, size = self.config.unlabelled_weights, images.shape[-1]
        found = self.face.layout.split(vector)
        terms = prior_terms(found, self.config.expression_deviation) | self.shape_terms(found)
        if weights.photometric > 0.0 or weights.identity_features > 0.0:
            photo = images.permute(0, 2, 3, 1).contiguous()
            background = photo if weights.identity_features > 0.0 else None
            drawn = self.face.draw(found, size, background)
            terms["photometric"] = lambda: robust_color_distance(
                drawn, photo, self.face.visible_skin(found, size), OUTLIER
            )
            terms["identity_features"] = lambda: self.identity(found, drawn, images)
        if flipped is not None:
            others = self.face.layout.split(flipped)
            terms["flip"] = lambda: (
                (100.0 / size)
                * flip_distance(
                    self.face.landmarks_px(found, size),
                    self.face.landmarks_px(others, size),
                    self.partner,
                    size,
                )
            )
        return weighted_sum(terms, weights, vector.sum() * 0.0)

    def identity(
        self,
        found: Coefficients,
        drawn: Float[Tensor, "b s s 3"],
        images: Float[Tensor, "b 3 s s"],
    ) -> Float[Tensor, "b"]:
        """Distance of the embeddings of the rendering over the photo, and of the photo."""
        if self.embed is None:
            raise ConfigurationError("unlabelled_weights.identity_features: no network for it")
        with torch.no_grad():
            points = self.face.landmarks_px(found, images.shape[-1])[..., :2]
            photo = self.embed(aligned_faces(images, points))
        faces = aligned_faces(drawn.permute(0, 3, 1, 2).clamp(0.0, 1.0), points)
        return identity_distance(self.embed(faces), photo)

    def shape_terms(self, found: Coefficients) -> dict[str, Term]:
        """Constraints on the mesh and its colours alone."""
        face = self.face
        return {
            "albedo_uniformity": lambda: albedo_uniformity(face.albedo(found), face.skin),
            "symmetry": lambda: symmetry_distance(face.neutral_vertices(found), self.mirror),
            "edges": lambda: edge_length_distance(
                face.neutral_vertices(found), face.mean[None], self.edges
            ),
        }


def load_face_net() -> nn.Module:
    """The face-recognition network of dlib.

    Raises:
        ConfigurationError: it is not installed.
    """
    from mlanet.network import DlibFaceNet

    try:
        return DlibFaceNet()
    except AssetError as error:
        raise ConfigurationError(f"unlabelled_weights.identity_features: {error}") from error
