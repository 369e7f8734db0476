"""`mlanet label`: landmarks of a data set to coefficients of the face model."""

import hashlib
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.status import EXIT_OK
from mlanet.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from mlanet.fitting.labels import Labels

PART_FACES = 960
"""Faces in a part: what is lost at most when a run is killed."""


def label(*, data: Path, out: Path, processes: int = 0, max_residual: float = 1.5) -> int:
    """Fit the face model to the landmarks of every face of a data set.

    OUT appears when all is done. Until then finished parts lie in OUT.parts; the same command goes
    on from there.

    Args:
        data: Folder with labels.npz (and pictures, which are not read).
        out: File (.npz) for names, crop boxes, coefficients, residuals and which were accepted.
        processes: Worker processes; 0 is one for each CPU.
        max_residual: Fits with a larger mean distance, in per cent of the face, are rejected.

    Returns:
        Exit status.
    """
    if out.suffix != ".npz" or out.is_dir():
        raise UsageError(f"--out {out} must be a file that ends with .npz")
    if processes < 0 or not max_residual > 0:
        raise UsageError("--processes must not be negative, --max-residual must be positive")
    import numpy as np

    from mlanet.datasets.archive import load_arrays
    from mlanet.fitting.labels import Labels
    from mlanet.image import atomic_path
    from mlanet.morphable import MorphableModel

    arrays = load_arrays(data / "labels.npz", required={"name": (), "pts68_px": (68, None)})
    points = arrays["pts68_px"]
    parts = out.with_name(out.name + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(points), PART_FACES)
    settings = hashlib.sha256(points.tobytes() + str(max_residual).encode()).hexdigest()[:12]
    paths = [parts / f"{settings}-{start:08d}.npz" for start in starts]
    missing = [
        (start, path) for start, path in zip(starts, paths, strict=True) if not path.exists()
    ]
    workers = min(processes or os.cpu_count() or 1, max(len(missing), 1))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(_fit_part, points[start : start + PART_FACES], path, max_residual)
            for start, path in missing
        ]
        for job in jobs:
            job.result()
    labels = Labels.concatenate([_read_part(path) for path in paths])
    columns = {field.name: getattr(labels, field.name) for field in fields(Labels)}
    with atomic_path(out) as temporary:
        model = np.array(MorphableModel.load().name)
        np.savez_compressed(temporary, name=arrays["name"], face_model=model, **columns)
    shutil.rmtree(parts)
    median = float(np.median(labels.residual_percent))
    print(
        f"{data}: {int(labels.accepted.sum())} of {len(points)} faces accepted,"
        f" median residual {median:.2f} % -> {out}"
    )
    return EXIT_OK


def _fit_part(points: "np.ndarray", path: Path, max_residual: float) -> None:
    import numpy as np

    from mlanet.fitting.labels import Labels, label_faces
    from mlanet.image import atomic_path
    from mlanet.morphable import MorphableModel

    labels = label_faces(MorphableModel.load(), points, max_residual_percent=max_residual)
    with atomic_path(path) as temporary:
        np.savez(temporary, **{field.name: getattr(labels, field.name) for field in fields(Labels)})


def _read_part(path: Path) -> "Labels":
    import numpy as np

    from mlanet.fitting.labels import Labels

    with np.load(path, allow_pickle=False) as part:
        return Labels(**{field.name: part[field.name] for field in fields(Labels)})
