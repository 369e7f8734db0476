"""Submissions to NoW: its image lists in, its prediction files out. Errors are computed by them.

Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D
Supervision", CVPR 2019; formats as in the public evaluation code (soubhiksanyal/now_evaluation).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from mlanet.detection import Detection
from mlanet.errors import DataError
from mlanet.evaluation.aflw2000.framing import MIN_IOU, annotated_face
from mlanet.evaluation.progress import Progress
from mlanet.evaluation.submissions.submission import HandedIn, Watch, hand_in
from mlanet.evaluation.surfaces.face_shape import SEVEN_POINTS
from mlanet.export import write_obj
from mlanet.files import atomic_path, check_regular, one_line, parsing, read_text
from mlanet.files.numpyfiles import npy_header
from mlanet.geometry import Mesh
from mlanet.image import read_image
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor

CHALLENGES = (
    "multiview_neutral",
    "multiview_expressions",
    "multiview_occlusions",
    "selfie",
)

ROOTS = ("", "final_release_version", "NoW_Dataset/final_release_version")
PICTURES, BOXES = "iphone_pictures", "detected_face"
MAX_BOX_BYTES = 1 << 20
SQUARE_PER_BOX = 1.2
"""Side of the crop over the longer side of NoW's box where our detector does not find its face."""


@dataclass(frozen=True, slots=True)
class NowImage:
    """A line of an image list: `subject/challenge/file`."""

    subject: str
    challenge: str
    file: str

    @property
    def stem(self) -> PurePosixPath:
        """Relative path of the prediction's files, without suffix."""
        return PurePosixPath(self.subject, self.challenge, self.file.rsplit(".", 1)[0])


def read_image_list(path: Path) -> list[NowImage]:
    """The images of `imagepathsvalidation.txt` or `imagepathstest.txt`, in its order.

    Raises:
        DataError: the file is missing or a line is no path of subject, challenge and file.
    """
    lines = read_text(path, DataError, missing="image list").split()
    images: list[NowImage] = []
    for line in lines:
        parts = line.replace("\\", "/").split("/")[-3:]
        if len(parts) < 3 or parts[1] not in CHALLENGES or {"..", "."} & set(parts):
            raise DataError(f"{path}: {one_line(line)} is not subject/challenge/file of NoW")
        images.append(NowImage(*parts))
    if not images:
        raise DataError(f"{path}: names no images")
    return images


def find_root(data: Path) -> Path:
    """The folder that holds `iphone_pictures`.

    Raises:
        DataError: there is none.
    """
    for part in ROOTS:
        if (data / part / PICTURES).is_dir():
            return data / part
    raise DataError(f"{data}: holds no {PICTURES}; NoW is obtained from https://now.is.tue.mpg.de")


def read_box(path: Path) -> Float[np.ndarray, "4"]:
    """NoW's detected box (left, top, right, bottom; pixels): a pickled dictionary in an npy file.

    Nothing that the pickle names is executed.

    Raises:
        DataError: the file is missing or malformed.
    """
    from mlanet.files.pickles import as_number, load_pickle, only_item

    check_regular(path, DataError, MAX_BOX_BYTES, missing="file of a box")
    with parsing(path, "not one of NoW's boxes", DataError), path.open("rb") as file:
        if not npy_header(file, pickled=True)[2].hasobject:
            raise ValueError("no dictionary")
        table = only_item(load_pickle(file, str(path), DataError))
        box = np.array([as_number(table[side]) for side in ("left", "top", "right", "bottom")])
    if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise DataError(f"{path}: not one of NoW's boxes (left, top, right, bottom = {box})")
    return box


def write_now(
    reconstructor: Reconstructor,
    data: Path,
    images: Sequence[NowImage],
    out: Path,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> list[HandedIn]:
    """Write `subject/challenge/NAME.obj` and `.npy` of each image into a folder.

    The mesh is the person at rest in millimetres (expressions are zero), since NoW's scans are at
    rest; the npy file holds `SEVEN_POINTS` on it, (7, 3). Of several faces the one is taken that
    overlaps NoW's box best; without a box file that can be read, the largest. An image whose
    picture cannot be read is passed over and named. `watch` is told each image's stem and its face,
    expression included.

    Raises:
        DataError: the data set has another layout.
        OSError: the folder cannot be written.
    """
    root = find_root(data)
    odd: dict[str, str] = {}
    entries = {str(entry.stem): entry for entry in images}

    def write(name: str) -> Reconstruction | None:
        face = _face(reconstructor, root, entries[name], odd)
        if face is not None:
            _write_face(face, out / name)
        return face

    return [
        replace(one, group=entries[one.image].challenge, warning=odd.get(one.image, ""))
        for one in hand_in(list(entries), write, watch, progress)
    ]


def _face(
    reconstructor: Reconstructor, root: Path, entry: NowImage, odd: dict[str, str]
) -> Reconstruction | None:
    """The face in an image, cut by NoW's box if the detector does not find it; None without both.

    A box that cannot be read is noted in `odd`, and the image is done as one without a box.

    Raises:
        ImageError: the picture cannot be read.
    """
    box_path = root / BOXES / f"{entry.stem}.npy"
    box = None
    if box_path.exists():
        try:
            box = read_box(box_path)
        except DataError as error:
            odd[str(entry.stem)] = str(error)
    image = read_image(root / PICTURES / entry.subject / entry.challenge / entry.file)
    detection = _chosen(reconstructor.detect(image), box)
    if detection is not None:
        return reconstructor.reconstruct_detection(image, detection)
    return None if box is None else reconstructor.predict_in_box(image, _square_around(box))


def _chosen(
    detections: Sequence[Detection], box: Float[np.ndarray, "4"] | None
) -> Detection | None:
    """The face in NoW's box; without a box, the largest."""
    if box is not None:
        return annotated_face(detections, box, MIN_IOU)
    return max(detections, key=lambda detection: detection.size_px) if detections else None


def _square_around(box: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    center = (box[:2] + box[2:]) / 2.0
    half = SQUARE_PER_BOX * float((box[2:] - box[:2]).max()) / 2.0
    return np.concatenate([center - half, center + half])


def _write_face(face: Reconstruction, target: Path) -> None:
    model, identity = face.model, face.coefficients.identity
    rest = np.zeros_like(face.coefficients.expression)
    points = model.landmarks(identity, rest)[list(SEVEN_POINTS)]
    target.parent.mkdir(parents=True, exist_ok=True)
    mesh = Mesh(model.vertices(identity, rest), model.topology.faces)
    write_obj(target.with_name(target.name + ".obj"), mesh)
    with (
        atomic_path(target.with_name(target.name + ".npy")) as temporary,
        temporary.open("wb") as file,
    ):
        np.save(file, points.astype(np.float64), allow_pickle=False)
