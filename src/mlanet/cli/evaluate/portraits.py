"""`mlanet evaluate portraits`."""

import time
from pathlib import Path

from mlanet.cli.common import EXIT_OK, SomePath, check_folder, progress_bar
from mlanet.cli.evaluate.common import Network, NetworkOptions, named_file, publish, signed


def portraits(
    *,
    data: Path,
    out: Path,
    teacher: SomePath = None,
    method: NetworkOptions = Network(),
) -> int:
    """Points and expressions of portraits beside a teacher's, by group of people.

    Writes report.json, report.md and report.html and prints the figures. Groups are those of the
    arrays source and group of labels.npz.

    Args:
        data: Folder with labels.npz and tar files of portraits, or one that holds it as portraits.
        out: Folder for the report.
        teacher: The teacher's answers (docs/how-to/label.md); else DATA/teacher/portraits.npz.
        method: The network that is evaluated.
    """
    check_folder("--out", out)
    method.check()
    from mlanet.evaluation.portraits.scoring import portraits_report, score_portraits
    from mlanet.reconstructor import Reconstructor

    started = time.perf_counter()
    folder = data / "portraits" if (data / "portraits").is_dir() else data
    file = teacher or data / "teacher" / "portraits.npz"
    reconstructor = Reconstructor.load(threads=method.threads, weights=method.weights)
    with progress_bar("Portraits") as progress:
        found = score_portraits(reconstructor, folder, file, progress)
    report = portraits_report(found)
    publish(signed(report, method, started, {"teacher": named_file(file)}), out)
    return EXIT_OK
