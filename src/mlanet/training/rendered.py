"""The objective of unlabelled samples: draw the face, and compare it with the picture."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mlanet.coefficients import Coefficients
from mlanet.errors import AssetError, ConfigurationError
from mlanet.geometry import MIRRORED_LANDMARKS, Camera, decode_lighting
from mlanet.losses import (
    albedo_uniformity,
    edge_length_distance,
    flip_distance,
    identity_distance,
    inside_photo,
    pixel_distance,
    symmetry_distance,
)
from mlanet.render import Renderer
from mlanet.training.aligned_faces import aligned_faces
from mlanet.training.config import TrainingConfig
from mlanet.training.face import FaceTensors
from mlanet.training.objective import Term, prior_terms, weighted_sum

OUTLIER = 0.3
"""Colour distance beyond which a pixel counts less: hair, glasses, hands."""

COVERED = 0.99
"""Share of a pixel that the face must cover to be compared."""

Embed = Callable[[Float[Tensor, "b 3 c c"]], Float[Tensor, "b n"]]
"""From aligned faces to what tells people apart."""


class RenderedObjective(nn.Module):
    """Terms that need no label (`RenderedWeights`), by the base mesh drawn at the crop's size.

    The face model is that of `face`, which is not copied.

    Args:
        face: the face model in tensors.
        config: of the run.
        embed: the network behind `identity_features`; dlib's if it is not given.

    Raises:
        ConfigurationError: `identity_features` has a weight, and dlib's network is not installed.
    """

    def __init__(
        self, face: FaceTensors, config: TrainingConfig, embed: Embed | None = None
    ) -> None:
        super().__init__()
        self._face = [face]  # in a list: its buffers belong to another module
        self.config = config
        self.embed = embed
        if embed is None and config.unlabelled_weights.identity_features > 0.0:
            self.embed = load_face_net()
        self.register_buffer("partner", torch.from_numpy(MIRRORED_LANDMARKS.astype(np.int64)))

    @property
    def face(self) -> FaceTensors:
        """The face model in tensors."""
        return self._face[0]

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
        face, weights, size = self.face, self.config.unlabelled_weights, images.shape[-1]
        found = face.layout.split(vector)
        lighting = decode_lighting(found.lighting)
        terms = prior_terms(found, lighting, self.config.expression_deviation)
        if weights.photometric > 0.0 or weights.identity_features > 0.0:
            photo = images.permute(0, 2, 3, 1).contiguous()
            background = photo if weights.identity_features > 0.0 else None
            drawn, covered = self.draw(found, lighting, size, background)
            terms["photometric"] = lambda: photometric(drawn, photo, covered)
            terms["identity_features"] = lambda: self.identity(found, drawn, images)
        terms |= self.geometric_terms(found, size)
        if flipped is not None:
            points = face.landmarks_px(found, size)
            others = face.landmarks_px(face.layout.split(flipped), size)
            partner = self.get_buffer("partner")
            terms["flip"] = lambda: 100.0 / size * flip_distance(points, others, partner, size)
        return weighted_sum(terms, weights, vector)

    def draw(
        self,
        found: Coefficients,
        lighting: Float[Tensor, "b 9 3"],
        size: int,
        background: Float[Tensor, "b s s 3"] | None = None,
    ) -> tuple[Float[Tensor, "b s s 3"], Float[Tensor, "b s s"]]:
        """Pictures, and how much of each pixel shows the model's skin (without gradients)."""
        face, camera = self.face, Camera.of_crop(size)
        renderer = Renderer(face.topology, (size, size), normals=False)
        pose, vertices = face.pose(found), face.vertices(found)
        albedo = face.albedo(found).clamp(0.0, 1.0)
        picture = renderer(vertices, pose, camera, lighting, albedo=albedo, background=background)
        with torch.no_grad():
            hard = Renderer(face.topology, (size, size), normals=False, soft_outlines=False)
            weight = face.get_buffer("skin_weight")[None, :, None].expand(*vertices.shape)
            skin = hard(vertices, pose, camera, albedo=weight).image[..., 0]
            return picture.image, skin * (picture.mask > COVERED)

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

    def geometric_terms(self, found: Coefficients, size: int) -> dict[str, Term]:
        """Constraints on the mesh and its colours alone."""
        face = self.face
        mean = face.get_buffer("mean")
        return {
            "albedo_uniformity": lambda: albedo_uniformity(
                face.albedo(found), face.get_buffer("skin_weight")
            ),
            "symmetry": lambda: symmetry_distance(
                face.neutral_vertices(found), face.get_buffer("mirror")
            ),
            "edges": lambda: edge_length_distance(
                face.neutral_vertices(found), mean[None], face.get_buffer("edges")
            ),
        }


def photometric(
    drawn: Float[Tensor, "b s s 3"],
    photo: Float[Tensor, "b s s 3"],
    covered: Float[Tensor, "b s s"],
) -> Float[Tensor, "b"]:
    """Colour distance over visible skin; what looks like no skin of this face counts less.

    The weights carry no gradient: a face shall not shrink to be less wrong.
    """
    with torch.no_grad():
        apart = (drawn - photo).square().sum(dim=-1)
        robust = inside_photo(photo) / (1.0 + apart / OUTLIER**2)
    return pixel_distance(drawn, photo, covered, robust)


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
