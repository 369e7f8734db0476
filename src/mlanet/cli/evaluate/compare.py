"""`mlanet evaluate compare`."""

from pathlib import Path
from typing import Annotated

import tyro

from mlanet.cli.common import EXIT_OK, SomePath, check_file
from mlanet.errors import UsageError


def compare(
    reports: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    out: SomePath = None,
) -> int:
    """Reports of one protocol side by side, and differences to the first with their intervals.

    Args:
        reports: Files report.json of mlanet evaluate.
        out: Also write the tables into this Markdown file, and tables and curves into the HTML
            file of the same name beside it.
    """
    from mlanet.evaluation import comparison_page, load_runs
    from mlanet.evaluation.reporting.page import html, markdown, print_page
    from mlanet.evaluation.reporting.report import write_texts

    if len(reports) < 2:
        raise UsageError(f"compare needs at least two files report.json, got {len(reports)}")
    if out is not None:
        check_file("--out", out)
    page = comparison_page(load_runs(reports))
    if out is not None:
        name = out.stem + ".md" if out.suffix == ".html" else out.name
        write_texts(out.parent, {name: markdown(page), f"{out.stem}.html": html(page)})
    print_page(page)
    return EXIT_OK
