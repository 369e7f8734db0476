"""`mlanet evaluate expressions`."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.common import EXIT_OK, SomePath, check_folder, progress_bar
from mlanet.cli.evaluate.common import (
    AFLW2000Files,
    Method,
    MethodOptions,
    named_file,
    publish,
    signed,
)
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.evaluation.expressions.heads import HeadScores
    from mlanet.evaluation.expressions.report import CoverScores
    from mlanet.reconstructor import Reconstructor

DEV_FOLDER = "aflw2000_dev"
"""Folder of the pictures and their annotations in a folder of several data sets."""

TEACHER_FOLDER = "teacher"


@dataclass(frozen=True, slots=True)
class ExpressionFiles:
    """The pictures and what is known of them."""

    data: Path
    """Folder that holds aflw2000_dev (pictures, annotations.npz) and teacher/aflw2000_dev.npz; or
    AFLW2000-3D's own folder or tar file, with --teacher."""

    annotations: SomePath = None
    """As for mlanet evaluate aflw2000; with the re-annotation closed eyes are measured, too."""

    teacher: SomePath = None
    """Npz file of a teacher's blend-shape scores (docs/how-to/evaluate-expressions.md)."""

    only: SomePath = None
    """A text file with names of pictures, one a line: evaluate these alone."""

    @property
    def pictures(self) -> AFLW2000Files:
        """Where the pictures and annotations are."""
        held = self.data / DEV_FOLDER
        data = held if held.is_dir() else self.data
        annotations = self.annotations
        if annotations is None and (data / "annotations.npz").is_file():
            annotations = data / "annotations.npz"
        return AFLW2000Files(data, annotations, self.only)

    @property
    def teacher_file(self) -> Path:
        """Where the teacher's scores are."""
        return self.teacher or self.data / TEACHER_FOLDER / f"{DEV_FOLDER}.npz"


def expressions(
    *,
    files: Annotated[ExpressionFiles, tyro.conf.OmitArgPrefixes],
    out: Path,
    method: MethodOptions = Method(),
    num_heads: int = 400,
    seed: int = 0,
) -> int:
    """Predicted expressions beside a teacher's on photos, and known ones on rendered heads.

    Writes report.json, images.csv, report.md and report.html and prints the figures. --predictions
    is an npz file in the form of the teacher's; rendered heads are then left out.

    Args:
        files: The pictures.
        out: Folder for the report.
        method: What is evaluated.
        num_heads: Rendered heads, each without and with glasses and partly covered; 0 leaves them
            out.
        seed: Of the rendered heads.
    """
    check_folder("--out", out)
    method.check()
    if not 0 <= num_heads <= 100_000 or not 0 <= seed < 2**31:
        raise UsageError("--num-heads must be in 0..100000, --seed in 0..2147483647")
    from mlanet.evaluation.expressions.photos import (
        closed_and_open_eyes,
        eye_aspect_ratios,
        faces_within_range,
        predict_photos,
    )
    from mlanet.evaluation.expressions.report import expressions_report
    from mlanet.evaluation.expressions.scores import ExpressionScores
    from mlanet.reconstructor import Reconstructor

    started = time.perf_counter()
    teacher = ExpressionScores.read(files.teacher_file)
    dataset, truth = files.pictures.load()
    rows = faces_within_range(truth)
    names = [truth.names[row] for row in rows]
    teacher = teacher.of(names, str(files.teacher_file))
    heads = None
    if method.predictions is not None:
        given = ExpressionScores.read(method.predictions)
        predicted = given.of(names, str(method.predictions))
    else:
        reconstructor = Reconstructor.load(threads=method.threads, weights=method.weights)
        with progress_bar("Photos") as progress:
            predicted = predict_photos(reconstructor, dataset, truth, rows.tolist(), progress)
        heads = _heads(reconstructor, num_heads, seed) if num_heads else None
    ratios = eyes = None
    if truth.reannotated_px is not None:
        ratios = eye_aspect_ratios(truth.reannotated_px[rows])
        eyes = closed_and_open_eyes(predicted, ratios)
    report = expressions_report(predicted, teacher, truth.yaw_deg[rows], ratios, eyes, heads)
    if heads is not None:
        report = replace(report, conditions={**report.conditions, "seed": seed})
    versions = {"teacher": named_file(files.teacher_file)}
    publish(signed(report, method, started, versions), out)
    return EXIT_OK


def _heads(reconstructor: "Reconstructor", count: int, seed: int) -> "CoverScores":
    from mlanet.evaluation.expressions.heads import COVERS, score_heads

    scores: dict[str, tuple[HeadScores, HeadScores]] = {}
    for cover in COVERS:
        with progress_bar(f"Heads {cover}") as progress:
            scores[cover] = score_heads(
                reconstructor, count=count, seed=seed, cover=cover, progress=progress
            )
    return scores
