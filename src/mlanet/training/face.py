"""The face model in tensors: from coefficients to what losses compare."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mlanet.coefficients import CoefficientLayout, Coefficients
from mlanet.errors import ConfigurationError
from mlanet.geometry import Camera, MeshTopology, Pose, decode_pose, landmarks_in_pixels
from mlanet.morphable import LinearShape, MorphableModel, linear_combination

PARTS = ("mean", "identity", "expression")
GREY = 0.6


class FaceTensors(nn.Module):
    """Arrays of a face model's base mesh as buffers, so that moving the module moves them all.

    Args:
        model: the face model.
        layout: of the coefficients: the model's, with rotations of any kind.

    Raises:
        ConfigurationError: the network's layout is not the face model's.
    """

    def __init__(self, model: MorphableModel, layout: CoefficientLayout) -> None:
        super().__init__()
        if replace(layout, rotation=model.layout.rotation) != model.layout:
            raise ConfigurationError(
                f"preset: regresses {layout}, the face model has {model.layout}"
            )
        self.layout, self.known_layout = layout, model.layout
        self.model_name = model.name
        self.topology = MeshTopology(model.base_faces, model.num_base_vertices)
        skin = np.maximum.reduce([model.regions[name] for name in ("face", "eyes")])
        arrays = {f"landmark_{name}": getattr(model.landmarks, name) for name in PARTS}
        arrays |= {name: getattr(model.shape, name) for name in PARTS}
        grey = np.full((model.num_base_vertices, 3), GREY, np.float32)  # of models without colours
        arrays |= {
            "albedo_mean": model.albedo_mean if model.has_albedo else grey,
            "albedo_basis": model.albedo_basis if model.has_albedo else grey[..., None][..., :0],
            "faces": self.topology.faces.astype(np.int64),
            "faces_of_vertex": self.topology.faces_of_vertex.astype(np.int64),
            "skin": np.flatnonzero(skin > 0.5),
            "skin_weight": (skin * (1.0 - model.regions["mouth"])).astype(np.float32),
            "face": np.flatnonzero(model.regions["face"] > 0.5),
            "mirror": model.mirror.astype(np.int64),
            "edges": self.topology.edges.astype(np.int64),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))

    def pose(self, coefficients: Coefficients) -> Pose:
        """The decoded pose."""
        return decode_pose(coefficients.rotation, coefficients.translation, self.layout.rotation)

    def landmarks(self, coefficients: Coefficients) -> Float[Tensor, "b 68 3"]:
        """Landmarks in the model frame, mm."""
        shape = LinearShape(*(self.get_buffer(f"landmark_{part}") for part in PARTS))
        return shape(coefficients.identity, coefficients.expression)

    def landmarks_px(self, coefficients: Coefficients, size: int) -> Float[Tensor, "b 68 3"]:
        """Landmarks of the posed model in pixels of a crop of `size` pixels."""
        points = self.landmarks(coefficients)
        return landmarks_in_pixels(Camera.of_crop(size), self.pose(coefficients), points)

    def vertices(self, coefficients: Coefficients) -> Float[Tensor, "b v 3"]:
        """Base vertices in the model frame, mm."""
        shape = LinearShape(*(self.get_buffer(part) for part in PARTS))
        return shape(coefficients.identity, coefficients.expression)

    def neutral_vertices(self, coefficients: Coefficients) -> Float[Tensor, "b v 3"]:
        """Base vertices without expression."""
        mean, identity = self.get_buffer("mean"), self.get_buffer("identity")
        return linear_combination(mean, identity, coefficients.identity)

    def face_shape(self, coefficients: Coefficients) -> Float[Tensor, "b f 3"]:
        """The neutral vertices of region `face`: no ears, neck or scalp."""
        face = self.get_buffer("face")
        mean, identity = self.get_buffer("mean")[face], self.get_buffer("identity")[face]
        return linear_combination(mean, identity, coefficients.identity)

    def albedo(self, coefficients: Coefficients) -> Float[Tensor, "b v 3"]:
        """Albedo at the base vertices, not clipped."""
        mean, basis = self.get_buffer("albedo_mean"), self.get_buffer("albedo_basis")
        return linear_combination(mean, basis, coefficients.albedo)
