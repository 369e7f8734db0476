"""Faces of one person in several photos become one head, posed in each of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlanet.fitting.pixel_fit import PixelFitConfig, can_be_refined, refine_person
from mlanet.person.estimate import growth, shown_well, view_mean
from mlanet.person.posing import with_shape
from mlanet.person.texture import PersonTexture
from mlanet.reconstruction import Reconstruction

LEAST_WEIGHT = 1e-3
"""Of a photo of which the network is not sure at all."""


def join_person(
    faces: Sequence[Reconstruction],
    *,
    refine: bool = True,
    config: PixelFitConfig | None = None,
) -> list[Reconstruction]:
    """The faces with one identity, one albedo and one texture, posed and moved anew.

    Identity and albedo are robust means over the photos by confidence and view; the texture is of
    all photos, in the light of the one that shows the face best.

    Args:
        faces: of one person, one of each photo, of one face model.
        refine: bring the shape nearer to the shading of all photos (`refine_person`), if the face
            model has an albedo. Without, the answer is hardly better than that of one good photo.
        config: of that.

    Raises:
        ValueError: there is no face, or their face models differ.
    """
    if not faces or any(face.model is not faces[0].model for face in faces):
        raise ValueError("expected faces of one face model")
    yaw = np.array([face.euler_deg[1] for face in faces])
    sure = [1.0 if face.confidence is None else face.confidence for face in faces]
    weight = np.maximum(np.array(sure), LEAST_WEIGHT)
    seen = np.stack([face.coefficients.identity for face in faces]).astype(np.float64)
    identity = view_mean(seen, yaw, weight) * (growth(seen) if len(faces) > 1 else 1.0)
    colors = np.stack([face.coefficients.albedo for face in faces]).astype(np.float64)
    albedo = view_mean(colors, yaw, weight)
    joined = [with_shape(face, identity, albedo) for face in faces]
    if refine and can_be_refined(joined[0]):
        joined = refine_person(joined, config)
    texture = PersonTexture(tuple(best_first(joined)))
    return [replace(face, texture_source=texture) for face in joined]


def best_first(faces: Sequence[Reconstruction]) -> list[Reconstruction]:
    """The faces by how well their photos show them (`shown_well`, confidence)."""
    merit = shown_well(
        np.stack([face.euler_deg for face in faces]),
        np.array([np.ptp(face.crop.square_px[::2]) for face in faces]),
        np.stack([face.coefficients.expression for face in faces]),
        faces[0].model.expression_names,
    )
    sure = np.array([1.0 if face.confidence is None else face.confidence for face in faces])
    return [faces[k] for k in np.argsort(-merit * sure, kind="stable")]
