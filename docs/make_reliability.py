"""Draw how far confidence is to be trusted: `python docs/make_reliability.py REPORT`.

REPORT is the folder of `mlanet evaluate aflw2000` or `occlusion`, of a network that says how sure
it is. Its reliability curve becomes `docs/images/reliability.svg`.
"""

import argparse
from pathlib import Path

from mlanet.files import atomic_path

OUT = Path(__file__).parent / "images" / "reliability.svg"
START = "<svg viewBox="
TITLE = 'aria-label="Reliability of the confidence"'
STYLE = "<style>text { font: 12px system-ui, sans-serif; fill: #444; }</style>"


def main() -> None:
    """Take the curve out of the report's page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    page = (parser.parse_args().report / "report.html").read_text(encoding="utf-8")
    curves = [part.split("</svg>")[0] for part in page.split(START)[1:]]
    found = [curve for curve in curves if TITLE in curve.split(">")[0]]
    if not found:
        raise SystemExit("the report has no confidence: a network without it was measured")
    opening, _, content = found[0].partition(">")
    drawn = f'{START}{opening} xmlns="http://www.w3.org/2000/svg">{STYLE}{content}</svg>\n'
    with atomic_path(OUT) as temporary:
        temporary.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
