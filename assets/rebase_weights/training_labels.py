r"""Write what `mlanet train` learns photos from: joined points and coefficients of the face model.

    python assets/rebase_weights/training_labels.py --network OLD.onnx --data DATA --out TRAINING

`TRAINING/{aflw_train,ytf68,portraits}` receive `labels.npz` beside links to the tar files,
`TRAINING/{name}_labels.npz` the coefficients in the form of `mlanet label`; `TRAINING/telling`
shows those of all three again whose expressions are seldom seen. labels.py says how they are made.
Of `ytf68`, the people of `unseen_people` are left out; pictures of one person have one identity;
rotations of `aflw_train` are the data's own. Deterministic.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
from jaxtyping import Bool, Float, Shaped

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlanet.datasets.archive import load_arrays
from mlanet.files import atomic_path, list_files
from mlanet.fitting.labels import Labels, with_given_rotation
from mlanet.geometry import viewer_from_camera
from mlanet.morphable import MorphableModel, load_model
from rebase_weights.build import joined_labels, reference
from rebase_weights.examples import HELD_OUT_EVERY
from rebase_weights.head_turn import HeadTurn
from rebase_weights.labels import measure_offsets, of_one_person, telling_faces
from rebase_weights.pictures import (
    FRAMES,
    LABELLED,
    UNLABELLED,
    Pictures,
    labelled_pictures,
    unlabelled_pictures,
    video_frames,
)
from rebase_weights.views import FeatureNetwork, look_at

SETS = ((LABELLED, labelled_pictures), (FRAMES, video_frames), (UNLABELLED, unlabelled_pictures))

TELLING = "telling"


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a set was given.

    Attributes:
        names: of its pictures.
        points: in them.
        labels: coefficients.
        telling: which show expressions that are seldom seen, none of them held out.
    """

    names: Shaped[np.ndarray, "n"]
    points: Float[np.ndarray, "n 68 2"]
    labels: Labels
    telling: Bool[np.ndarray, "n"]


def main() -> None:
    """Look, label, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="the network's face model; ours without")
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    model = load_model()
    network = FeatureNetwork.of(onnx.load(arguments.network), load_model(arguments.before))
    offsets: Float[np.ndarray, "bands 51 2"] | None = None
    parts: list[Written] = []
    for name, open_pictures in SETS:
        pictures = open_pictures(arguments.data)
        views = look_at(pictures, network)
        if offsets is None:  # the first set has labels
            turn = HeadTurn.of(views.rotation)
            offsets = measure_offsets(reference(pictures, views), pictures.teacher, turn)
        labels, points = joined_labels(pictures, views, offsets, model)
        labels = of_one_person(labels, pictures.person)
        names, rotation = listed(arguments.data, name, pictures)
        if rotation is not None:
            labels = with_given_rotation(labels, rotation)
        telling = telling_faces(pictures.teacher, HeadTurn.of(views.rotation)) & labels.accepted
        telling &= pictures.rows % HELD_OUT_EVERY != 0
        parts.append(Written(names, points, labels, telling))
        write(arguments.data, arguments.out, name, (name,), parts[-1:], model)
    rows = [np.flatnonzero(part.telling) for part in parts]
    picked = [
        Written(
            part.names[own],
            part.points[own],
            Labels(*(getattr(part.labels, field.name)[own] for field in fields(Labels))),
            part.telling[own],
        )
        for part, own in zip(parts, rows, strict=True)
    ]
    write(arguments.data, arguments.out, TELLING, [name for name, _ in SETS], picked, model)


def listed(
    data: Path, name: str, pictures: Pictures
) -> tuple[Shaped[np.ndarray, "n"], Float[np.ndarray, "n 3 3"] | None]:
    """Names of a set's pictures, and their heads' rotations to the camera where it has them."""
    arrays = load_arrays(data / name / "labels.npz", {"name": ()}, {"rotation": (3, 3)})
    names, viewed = arrays["name"][pictures.rows], arrays.get("rotation")
    if viewed is None:
        return names, None
    return names, viewer_from_camera(viewed[pictures.rows].astype(np.float64))


def write(
    data: Path,
    out: Path,
    name: str,
    tars_of: Sequence[str],
    parts: Sequence[Written],
    model: MorphableModel,
) -> None:
    """A folder of crops for `mlanet train`, and the coefficients of its faces."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for source in tars_of:
        for tar in list_files(data / source, (".tar",)):
            link = folder / f"{source}-{tar.name}"
            if not link.exists():
                link.symlink_to(tar.resolve())
    names = np.concatenate([part.names for part in parts])
    points = np.concatenate([part.points for part in parts])
    labels = Labels.concatenate([part.labels for part in parts])
    flat = np.pad(points, ((0, 0), (0, 0), (0, 1))).astype(np.float32)
    columns = {field.name: getattr(labels, field.name) for field in fields(Labels)}
    with atomic_path(folder / "labels.npz") as temporary:
        np.savez_compressed(temporary, name=names, pts68_px=flat)
    with atomic_path(out / f"{name}_labels.npz") as temporary:
        np.savez_compressed(temporary, name=names, face_model=np.array(model.name), **columns)
    print(f"{name}: {len(names)} faces", flush=True)


if __name__ == "__main__":
    main()
