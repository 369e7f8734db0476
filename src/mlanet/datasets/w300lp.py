"""300W-LP in its own layout: 122,450 faces turned out of the photos of 300-W.

Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016. Pixel coordinates as
in `mlanet.datasets.parameters`.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mlanet.datasets.archive import MAX_MEMBER_BYTES
from mlanet.datasets.dataset import Sample, SkippedSamples, all_broken
from mlanet.datasets.parameters import FaceParameters, read_parameters, read_variables
from mlanet.errors import DataError
from mlanet.files import list_files, read_bytes
from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.image import read_image

SUBSETS = ("AFW", "HELEN", "IBUG", "LFPW")
FLIPPED = "_Flip"
"""Ends the names of the folders of mirrored pictures, whose files are called like the others."""

_TURNED = re.compile(rf"(?P<subset>{'|'.join(SUBSETS)})(?:_?Flip)?[/_](?P<photo>\w+?)_\d+\.jpg")
"""Name of a picture: subset, photo, number of the turn."""


class LandmarkFile(NamedTuple):
    """Content of one file below `landmarks`: x and y of the 68 points of iBUG in pixels."""

    contour_px: Float[np.ndarray, "68 2"]
    """`pts_2d`: the jaw follows the visible contour."""
    surface_px: Float[np.ndarray, "68 2"]
    """`pts_3d`: projected points of the surface, which Sample's landmarks are."""


class W300LP:
    """300W-LP: `AFW/*.jpg` and `.mat`, `AFW_Flip` and so on, `landmarks/AFW/*_pts.mat`.

    Landmarks of mirrored pictures are those of the picture that they mirror, unless they have a
    file of their own. Samples have no landmarks where there is no file at all. Mirrored pictures
    are read if `flipped`.

    Attributes:
        names: Paths of the pictures below `root`, sorted in each subset.
        skipped: Pictures without parameters, samples that `read_samples` found broken, and what was
            odd in others: one whose pose is has neither rotation nor angles.

    Raises:
        DataError: there is no folder of a subset, or no usable picture in any.
    """

    names: tuple[str, ...]
    skipped: SkippedSamples

    def __init__(self, root: Path, flipped: bool = True) -> None:
        self._root = root
        self.skipped = SkippedSamples()
        endings = ("", FLIPPED) if flipped else ("",)
        folders = [f"{subset}{ending}" for subset in SUBSETS for ending in endings]
        present = [name for name in folders if (root / name).is_dir()]
        if not present:
            raise DataError(f"{root}: holds none of the folders {', '.join(SUBSETS)} of 300W-LP")
        names: list[str] = []
        for folder in present:
            files = {file.name for file in list_files(root / folder)}
            for picture in sorted(name for name in files if name.endswith(".jpg")):
                name = f"{folder}/{picture}"
                if picture.removesuffix(".jpg") + ".mat" in files:
                    names.append(name)
                else:
                    self.skipped.add(name, f"{name}: no .mat file beside it")
        self.names = tuple(names)
        if not names:
            raise all_broken(root, self.skipped)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        image = read_image(self._read(name), upright=False, name=str(self._root / name))
        parameters = self.parameters(index)
        landmarks = self.landmarks(index, width=image.shape[1])
        posed = not parameters.pose_oddities
        return Sample(
            name=name,
            image=image,
            landmarks_px=None if landmarks is None else landmarks.surface_px,
            rotation=parameters.rotation if posed else None,
            angles_deg=parameters.angles_deg if posed else None,
            surface_jaw=True,
        )

    def parameters(self, index: int) -> FaceParameters:
        """The `.mat` file beside a picture.

        Raises:
            DataError: the file is malformed.
        """
        name = self.names[index].removesuffix(".jpg") + ".mat"
        parameters = read_parameters(self._read(name), str(self._root / name))
        self.skipped.note_odd(self.names[index], parameters.oddities)
        return parameters

    def landmarks(self, index: int, width: int) -> LandmarkFile | None:
        """The landmarks of a picture that is `width` pixels wide; None if there is no file.

        Raises:
            DataError: the file is malformed.
        """
        folder, picture = self.names[index].split("/")
        file = f"{picture.removesuffix('.jpg')}_pts.mat"
        own = f"landmarks/{folder}/{file}"
        if (self._root / own).is_file():
            return self._landmark_file(own)
        other = f"landmarks/{folder.removesuffix(FLIPPED)}/{file}"
        if not folder.endswith(FLIPPED) or not (self._root / other).is_file():
            return None
        return LandmarkFile(*(_mirrored(points, width) for points in self._landmark_file(other)))

    def _landmark_file(self, name: str) -> LandmarkFile:
        keys = ("pts_2d", "pts_3d")
        source = str(self._root / name)
        points, _ = read_variables(self._read(name), source, dict.fromkeys(keys, (68, 2)), keys)
        return LandmarkFile(points["pts_2d"], points["pts_3d"])

    def _read(self, name: str) -> bytes:
        return read_bytes(self._root / name, DataError, MAX_MEMBER_BYTES)


def photo_name(name: str) -> str:
    """The photo of which a picture of 300W-LP was made, as it is or mirrored.

    `AFW_Flip/AFW_134212_1_7.jpg` and, as 3DDFA's lists call the same picture,
    `AFWFlip_AFW_134212_1_7.jpg` are of `AFW/AFW_134212_1`; other names stay as they are.
    """
    match = _TURNED.fullmatch(name)
    return f"{match['subset']}/{match['photo']}" if match else name


def _mirrored(points: Float[np.ndarray, "68 2"], width: int) -> Float[np.ndarray, "68 2"]:
    """In the mirrored picture; the data set counts columns from 1."""
    return np.column_stack([width + 1.0 - points[:, 0], points[:, 1]])[MIRRORED_LANDMARKS]
