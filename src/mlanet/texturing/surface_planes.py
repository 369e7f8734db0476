"""What is known of a head's surface in the plane of texture coordinates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.texturing.smooth_fields import Plane


@dataclass(frozen=True, slots=True)
class SurfacePlanes:
    """The surface in UV at coarse size: shares of `TextureGuide` and what is known of it."""

    albedo: Float[np.ndarray, "t t 3"]
    normal: Float[np.ndarray, "t t 3"]
    cosine: Plane
    skin: Plane
    trusted: Plane
    hairy: Plane
    may_be_hairy: Plane
    neck: Plane
    sharp: Plane
    back: Plane
    teeth: Plane
    tongue: Plane
    lips: Plane
    lit: Plane
    crown: Plane
    face: Plane
