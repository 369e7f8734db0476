"""Which point of the embedded model's surface each vertex of another model is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Dense correspondence of another model's `v` vertices to the embedded model.

    Attributes:
        model_sha256: of the embedded model's file; points on another one mean nothing.
        face_index: triangle of the embedded model's subdivided mesh.
        barycentric: weights of that triangle's corners, at least zero, of sum one.
        covered: where the two surfaces were found to be the same; elsewhere (back of the head,
            teeth, eyeballs) the entry is the nearest point and of no meaning.
    """

    model_sha256: str
    face_index: Int[np.ndarray, "v"]
    barycentric: Float[np.ndarray, "v 3"]
    covered: Bool[np.ndarray, "v"]
