"""Labels for training: coefficients of a face model, and points, of the faces of a data set.

Either from landmarks alone, or from all that the data, a network and a teacher know together.
"""

from mlanet.labelling.given import GivenLandmarks, read_landmarks
from mlanet.labelling.jobs import LABEL_COLUMNS, FaceModelFile
from mlanet.labelling.joined import OFFSETS, JoinedConfig, JoinedLabels, label_joined
from mlanet.labelling.landmarks_alone import LandmarkConfig, label_landmarks
from mlanet.labelling.parts import Parts

__all__ = [
    "LABEL_COLUMNS",
    "OFFSETS",
    "FaceModelFile",
    "GivenLandmarks",
    "JoinedConfig",
    "JoinedLabels",
    "LandmarkConfig",
    "Parts",
    "label_joined",
    "label_landmarks",
    "read_landmarks",
]
