"""`mlanet evaluate now` and `realy`: prediction files for benchmarks that score themselves."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    SomePath,
    check_folder,
    progress_bar,
    require_surfaces,
)
from mlanet.cli.evaluate.common import Network, NetworkOptions, signed
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.evaluation.submissions.submission import HandedIn, Watch


def now(*, data: Path, images: Path, out: Path, network: NetworkOptions = Network()) -> int:
    """Prediction files for NoW's own evaluation: a mesh at rest and seven landmarks an image.

    OUT.report receives report.json, images.csv, report.md and report.html: counts and pictures. An
    image whose picture or box cannot be read has no prediction.

    Args:
        data: NoW_Dataset, or its folder final_release_version.
        images: imagepathsvalidation.txt or imagepathstest.txt.
        out: Folder for subject/challenge/NAME.obj and .npy.
        network: What is evaluated.

    Returns:
        Exit status: 0 all written, 1 an image has no prediction (each named on stderr).
    """
    network.check()
    _report_folder(out)
    from mlanet.evaluation.submissions.now import read_image_list, write_now
    from mlanet.reconstructor import Reconstructor

    listed = read_image_list(images)
    reconstructor = Reconstructor.load(threads=network.threads, weights=network.weights)

    def write(watch: "Watch", progress: Callable[[int, int], None]) -> "list[HandedIn]":
        return write_now(reconstructor, data, listed, out, progress, watch)

    return _hand_in("NoW", [str(image.stem) for image in listed], write, out, network)


def realy(
    *,
    images: Path,
    out: Path,
    reference: SomePath = None,
    network: NetworkOptions = Network(),
) -> int:
    """Prediction files for REALY's own evaluation: one OBJ an image, template, 85 keypoints.

    OUT.report receives report.json, images.csv, report.md and report.html: counts and pictures. A
    picture that cannot be read has no prediction.

    Args:
        images: Folder of REALY's images.
        out: Folder for predictions/NAME.obj, mlanet.obj and mlanet.txt.
        reference: A template of REALY's repository (data/HIFI3D.obj, HIFI3D.txt beside it), from
            which the keypoints that iBUG lacks are carried over; without it there is no mlanet.txt.
        network: What is evaluated.

    Returns:
        Exit status: 0 all written, 1 an image has no prediction (each named on stderr).
    """
    network.check()
    _report_folder(out)
    if reference is not None:
        require_surfaces()
    from mlanet.evaluation.submissions.realy import read_pictures, write_realy
    from mlanet.reconstructor import Reconstructor

    paths, others = read_pictures(images)
    for line in others:
        print(f"mlanet: warning: {line}", file=sys.stderr)
    reconstructor = Reconstructor.load(threads=network.threads, weights=network.weights)

    def write(watch: "Watch", progress: Callable[[int, int], None]) -> "list[HandedIn]":
        return write_realy(reconstructor, paths, out, reference, progress, watch)

    return _hand_in("REALY", [path.name for path in paths], write, out, network)


def _report_folder(out: Path) -> Path:
    """The report's folder: beside that of the predictions, and named after it.

    Raises:
        UsageError: there is no such place, or one of the two cannot be written to.
    """
    named = out.resolve() if out.name in ("", "..") else out
    if not named.name:
        raise UsageError(f"--out {out} is the root of the file system; the report goes beside it")
    folder = named.with_name(f"{named.name}.report")
    check_folder("--out", out)
    check_folder("the report's folder", folder)
    return folder


def _hand_in(
    benchmark: str,
    names: Sequence[str],
    write: "Callable[[Watch, Callable[[int, int], None]], list[HandedIn]]",
    out: Path,
    network: Network,
) -> int:
    """Write predictions and report, name what has no prediction."""
    from mlanet.evaluation.submissions.submission import SubmissionPictures, submission_report

    pictures = SubmissionPictures(names)
    started = time.perf_counter()
    with progress_bar(benchmark) as progress:
        rows = write(pictures, progress)
    missing = [row for row in rows if row.error]
    by_box = sum(row.by_box for row in rows)
    print(f"{out}: {len(rows) - len(missing)} of {len(rows)} images written, unit mm")
    if by_box:
        print(f"{by_box} faces that the detector did not find were cut by {benchmark}'s box")
    report = submission_report(benchmark, rows)
    folder = _report_folder(out)
    replace(signed(report, network, started), pictures=tuple(pictures.grids())).write(folder)
    print(f"{folder / 'report.html'} written")
    for row in rows:
        if row.warning:
            print(f"mlanet: warning: {row.warning}", file=sys.stderr)
    for row in missing:
        print(f"mlanet: {row.error}", file=sys.stderr)
    return EXIT_FAILED if missing else EXIT_OK
