"""What a detector is: any callable that finds faces in a picture."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from mlanet.detection.detection import Detection


@runtime_checkable
class Detector(Protocol):
    """Finds faces in a picture; `CenterFace` is the one that ships.

    `Reconstructor.load(detector=...)` takes any other. It decides by itself which scores are those
    of faces, and is called from several threads if the `Reconstructor` is.
    """

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], /) -> Sequence[Detection]:
        """Faces in an RGB picture, best score first; empty if there are none.

        Boxes and the five landmarks are in pixels of the picture: x right, y down, the first
        pixel's centre at (0.5, 0.5). The landmarks tell how a face is turned, so that they must be
        right, not only there.
        """
        ...
