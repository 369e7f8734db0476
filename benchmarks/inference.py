"""How long a photo takes: medians in milliseconds, as a table and as JSON.

    python benchmarks/inference.py --json inference.json

`reconstruct_ms_2_threads` is one call of the library on a 450x450 photo with one face: detection,
crop, network, mesh with normals' inputs, landmarks, pose and camera; no files. The texture, which
is computed when it is asked for, is timed apart. `first_photo_cpu_s` (Python starts, imports mlanet
and reconstructs a photo) and `command_cold_cpu_s` (`mlanet reconstruct --example`) are seconds of a
processor on a machine that has no compiled loops yet.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def median_ms(function: Callable[[], object], repeats: int) -> float:
    """Median duration after three calls to warm up."""
    for _ in range(3):
        function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(seconds)


def import_seconds(statement: str) -> float:
    """Median duration of an import in a fresh interpreter, without the interpreter's start."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(runs)


def cold_seconds(*words: str) -> float:
    """Time of processors that a fresh Python takes where no loop has been compiled."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": f"{folder}/loops"}
        before = os.times()
        subprocess.run(
            [sys.executable, *words], check=True, capture_output=True, env=environment, cwd=folder
        )
        after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


FIRST_PHOTO = """
from mlanet import Reconstructor
from mlanet.assets import verified_path
(face,) = Reconstructor.load()(verified_path("example-image"))
assert len(face.mesh.vertices) and len(face.landmarks_px)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()

    import cv2

    from mlanet.assets import verified_path
    from mlanet.detection import CenterFace
    from mlanet.image import read_image
    from mlanet.network.runtime import CoefficientRegressor
    from mlanet.reconstructor import Reconstructor

    cv2.setNumThreads(2)
    photo = cv2.resize(
        read_image(verified_path("example-image")), (450, 450), interpolation=cv2.INTER_AREA
    )
    regressor = CoefficientRegressor.load(threads=1)
    size = regressor.config.input_size
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    detector = CenterFace.load(threads=2)
    reconstructor = Reconstructor.load(threads=2)

    def reconstruct() -> list[object]:
        faces = reconstructor(photo)
        return [(face.mesh, face.landmarks_px, face.camera, face.euler_deg) for face in faces]

    def reconstruct_with_texture() -> list[object]:
        return [(face.mesh, face.landmarks_px, face.texture) for face in reconstructor(photo)]

    assert len(reconstruct()) == 1, "the photo must show one face"
    repeats = arguments.repeats
    figures = {
        "network_ms_1_thread": median_ms(lambda: regressor(crop), repeats),
        "detect_ms": median_ms(lambda: detector(photo), repeats),
        "reconstruct_ms_2_threads": median_ms(reconstruct, repeats),
        "reconstruct_with_texture_ms_2_threads": median_ms(reconstruct_with_texture, repeats),
        "import_s": import_seconds("import mlanet; mlanet.Reconstructor"),
        "first_photo_cpu_s": cold_seconds("-c", FIRST_PHOTO),
        "command_cold_cpu_s": cold_seconds(
            "-m", "mlanet", "reconstruct", "--example", "--out", "out", "--quiet"
        ),
    }
    for name, value in figures.items():
        print(f"{name:40s} {value:8.2f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
