"""The ways in that a file of a user's takes."""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.errors import MlanetError
from mlanet.image import read_image

if TYPE_CHECKING:
    from mlanet import Reconstructor


class Broken(Exception):  # noqa: N818 - it is no error of the program
    """The command line answered with something else than one line and a status."""


class Answer(NamedTuple):
    """What a command left."""

    status: int
    text: str


def command(*words: object) -> Answer:
    """Run `mlanet WORDS` in this process; `text` is what it wrote on standard error.

    Raises:
        Broken: there is a traceback, or the status is none of 0, 1, 2, or nothing says why it
            failed.
    """
    errors = io.StringIO()
    status: object = 0
    with redirect_stdout(io.StringIO()), redirect_stderr(errors):
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            status = stop.code or 0
    text = errors.getvalue()
    if status not in (0, 1, 2) or "Traceback (most recent" in text:
        raise Broken(f"status {status}: {text[-300:]}")
    if status and not text.strip():
        raise Broken(f"status {status} without a word")
    return Answer(int(status), text)


def way(name: str, folder: Path, victim: Path) -> str:
    """Take a file in; "read", "refused", or "unexpected" where a net caught what nothing expected.

    Raises:
        Exception: what must not happen.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = WAYS[name](folder, victim)
    except MlanetError as error:
        if "\n" in str(error):
            raise Broken(f"a message of several lines: {error}") from error
        return "refused"
    if not isinstance(found, Answer) or found.status == 0:
        return "read"
    return "unexpected" if "unexpected" in found.text else "refused"


@cache
def _reconstructor() -> "Reconstructor":
    from mlanet import Reconstructor

    return Reconstructor.load(threads=1)


@cache
def _typical() -> np.ndarray:
    from mlanet.morphable import MorphableModel

    return np.asarray(MorphableModel.load().landmarks.mean)


def warm_up() -> None:
    """Load what every process loads once, so that no mutant pays for it."""
    for face in _reconstructor()(read_image(verified_path("example-image"))):
        face.render()
    _typical()


def _reconstruct(_folder: Path, victim: Path) -> None:
    for face in _reconstructor()(read_image(victim)):
        face.render()


def _weights(folder: Path, victim: Path) -> None:
    from mlanet import Reconstructor

    Reconstructor.load(threads=1, weights=victim)(read_image(folder / "photo.png"))


def _points(_folder: Path, victim: Path) -> None:
    from mlanet.datasets.point_files import read_points

    read_points(victim)


def _training_config(_folder: Path, victim: Path) -> None:
    from mlanet.training import TrainingConfig

    TrainingConfig.read(victim)


def _mesh(name: str) -> Callable[[Path, Path], None]:
    def take(folder: Path, _victim: Path) -> None:
        from mlanet.evaluation.surfaces.mesh_folder import MeshFolder

        MeshFolder.open(folder, _typical(), [name], missed_too=True).face(name)

    return take


def _verb(*words: str) -> Callable[[Path, Path], Answer]:
    """A command in which FOLDER and VICTIM stand for the files."""

    def take(folder: Path, victim: Path) -> Answer:
        places = {"FOLDER": str(folder), "VICTIM": str(victim)}

        def filled(word: str) -> str:
            for place, path in places.items():
                word = word.replace(place, path)
            return word

        return command(*(filled(word) for word in words))

    return take


WAYS: dict[str, Callable[[Path, Path], object]] = {
    "read_image": lambda _folder, victim: read_image(victim),
    "reconstructor": _reconstruct,
    "mlanet reconstruct": _verb("reconstruct", "VICTIM", "--out", "FOLDER/out", "--threads", "1"),
    "models info": _verb("models", "info", "VICTIM"),
    "models sheet": _verb("models", "sheet", "VICTIM", "--out", "FOLDER/sheet.png"),
    "models info folder": _verb("models", "info", "FOLDER/FaceXModel"),
    "models info landmarks": _verb(
        "models", "info", "FOLDER/flame.pkl", "--landmarks", "VICTIM"
    ),
    "weights": _weights,
    "points": _points,
    "training config": _training_config,
    "dataset check aflw2000": _verb("dataset", "check", "--data", "FOLDER/AFLW2000"),
    "dataset check data": _verb("dataset", "check", "--data", "FOLDER/data"),
    "dataset check photos": _verb(
        "dataset", "check", "--data", "FOLDER/data", "--cache", "FOLDER/cache"
    ),
    "dataset shards again": _verb(
        "dataset", "shards", "--data", "FOLDER/AFLW2000", "--out", "FOLDER/data"
    ),
    "evaluate aflw2000": _verb(
        "evaluate", "aflw2000", "--data", "FOLDER/AFLW2000",
        "--annotations", "FOLDER/annotations.npz", "--predictions", "FOLDER/predictions.npz",
        "--out", "FOLDER/out",
    ),
    "evaluate compare": _verb("evaluate", "compare", "VICTIM", "FOLDER/other.json"),
    "mesh ply": _mesh("ply"),
    "mesh obj": _mesh("obj"),
}  # fmt: skip
