r"""Write what `mlanet train` learns photos from: joined points and coefficients of the face model.

    python assets/rebase_weights/training_labels.py --before OLD_open_face.npz \
        --network OLD.onnx --data DATA --out TRAINING

`TRAINING/aflw_train` and `TRAINING/portraits` receive `labels.npz` beside links to the tar files,
`TRAINING/{name}_labels.npz` the coefficients in the form of `mlanet label`. labels.py says how they
are made. Deterministic.
"""

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
from jaxtyping import Float

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlanet.datasets.archive import load_arrays
from mlanet.files import atomic_path, list_files
from mlanet.fitting.labels import Labels
from mlanet.morphable import MorphableModel
from rebase_weights.build import joined_labels, reference
from rebase_weights.head_turn import HeadTurn
from rebase_weights.labels import measure_offsets
from rebase_weights.pictures import (
    LABELLED,
    UNLABELLED,
    Pictures,
    labelled_pictures,
    unlabelled_pictures,
)
from rebase_weights.views import FeatureNetwork, look_at


def main() -> None:
    """Look, label, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="the network's face model")
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    model = MorphableModel.load()
    network = FeatureNetwork.of(onnx.load(arguments.network), MorphableModel.load(arguments.before))
    labelled = labelled_pictures(arguments.data)
    views = look_at(labelled, network)
    points = reference(labelled, views)
    offsets = measure_offsets(points, labelled.teacher, HeadTurn.of(views.rotation))
    unlabelled = unlabelled_pictures(arguments.data)
    for name, pictures, seen in (
        (LABELLED, labelled, views),
        (UNLABELLED, unlabelled, look_at(unlabelled, network)),
    ):
        labels, points = joined_labels(pictures, seen, offsets, model)
        write(arguments.data, arguments.out, name, pictures, labels, points, model)


def write(
    data: Path,
    out: Path,
    name: str,
    pictures: Pictures,
    labels: Labels,
    points: Float[np.ndarray, "n 68 2"],
    model: MorphableModel,
) -> None:
    """A folder of crops for `mlanet train`, and the coefficients of its faces."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for tar in list_files(data / name, (".tar",)):
        link = folder / tar.name
        if not link.exists():
            link.symlink_to(tar.resolve())
    listed = load_arrays(data / "teacher" / f"{name}.npz", {"name": ()})["name"][pictures.rows]
    flat = np.pad(points, ((0, 0), (0, 0), (0, 1))).astype(np.float32)
    columns = {field.name: getattr(labels, field.name) for field in fields(Labels)}
    with atomic_path(folder / "labels.npz") as temporary:
        np.savez_compressed(temporary, name=listed, pts68_px=flat)
    with atomic_path(out / f"{name}_labels.npz") as temporary:
        np.savez_compressed(temporary, name=listed, face_model=np.array(model.name), **columns)


if __name__ == "__main__":
    main()
