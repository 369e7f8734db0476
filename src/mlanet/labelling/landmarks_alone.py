"""Labels of faces of which landmarks alone are known."""

from dataclasses import dataclass

from mlanet.fitting.labels import (
    CONTOUR_WEIGHT,
    MAX_RESIDUAL_PERCENT,
    Labels,
    config_for,
    with_given_rotation,
)
from mlanet.labelling.given import GivenLandmarks
from mlanet.labelling.jobs import LABEL_COLUMNS, FaceModelFile, FitLandmarks, shape_arrays
from mlanet.labelling.parts import Parts, cut, digest


@dataclass(frozen=True, slots=True)
class LandmarkConfig:
    """How landmarks are fitted.

    Attributes:
        face_model: that is fitted.
        jaw_on_surface: whether the jaw points are; None: what the data say.
        depth_weight: of labelled depth beside x and y.
        given_rotation: keep the data's own rotations (`with_given_rotation`).
        max_residual_percent: of accepted fits.
    """

    face_model: FaceModelFile = FaceModelFile()
    jaw_on_surface: bool | None = None
    depth_weight: float = 1.0
    given_rotation: bool = False
    max_residual_percent: float = MAX_RESIDUAL_PERCENT

    def jaw_weight(self, given: GivenLandmarks) -> float:
        """Of a jaw point beside the others."""
        surface = given.jaw_on_surface if self.jaw_on_surface is None else self.jaw_on_surface
        return 1.0 if surface else CONTOUR_WEIGHT


def label_landmarks(given: GivenLandmarks, config: LandmarkConfig, parts: Parts) -> Labels:
    """Fit every face to its landmarks (`mlanet.fitting.labels.label_faces`), part by part."""
    model, weight = config.face_model.load(), config.jaw_weight(given)
    numbers = (config.max_residual_percent, weight, config.depth_weight, config_for(model))
    found = parts.work(
        digest(repr(numbers), given.points, *shape_arrays(model)),
        [
            FitLandmarks(
                given.points[part],
                config.face_model,
                config.max_residual_percent,
                weight,
                config.depth_weight,
            )
            for part in cut(len(given.points))
        ],
    )
    labels = Labels(*(found[name] for name in LABEL_COLUMNS))
    if config.given_rotation and given.rotation is not None:
        return with_given_rotation(labels, given.rotation)
    return labels
