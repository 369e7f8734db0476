"""Write what mlanet's pure parts make of small inputs, for the browser package's unit tests.

    python assets/browser/samples.py

writes `web/face/tests/fixtures/samples.json`: pictures in other sizes, crops, looks at pictures of
several sizes, rotations, and which of overlapping boxes stay.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.detection import looks
from mlanet.detection.decoding import Candidates, suppress
from mlanet.files import atomic_path
from mlanet.geometry import euler_from_matrix, matrix_from_6d
from mlanet.image import crop_square

FILE = Path(__file__).resolve().parents[2] / "web/face/tests/fixtures/samples.json"
SIZES = ((450, 450), (120, 2000), (1000, 750), (4000, 3000))
RESIZED = ((5, 4, False), (18, 15, False), (29, 24, False), (6, 5, True))
"""Rows, columns, and whether quickly."""

SQUARES = ((-2.5, 1.25, 14.5, 18.25), (1.0, 2.0, 15.0, 16.0), (3.0, 1.0, 10.0, 8.0))
SIX = ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.9, 0.2, -0.3, 0.1, 0.8, 0.4))
BOXES = ((0.0, 0.0, 10.0, 10.0), (1.0, 1.0, 11.0, 11.0), (20.0, 0.0, 30.0, 10.0))
SCORES = (0.6, 0.9, 0.5)


def picture() -> UInt8[np.ndarray, "h w 3"]:
    """Colours without an order, the same in both languages."""
    rows, cols, channels = np.indices((19, 16, 3))
    return ((rows * 91 + cols * 37 + channels * 53 + rows * cols * 7) % 256).astype(np.uint8)


def samples() -> dict[str, Any]:
    """All of them, by name."""
    resized = [looks.resized(picture(), rows, cols, quick=quick) for rows, cols, quick in RESIZED]
    found = Candidates(np.array(BOXES), np.zeros((len(BOXES), 5, 2)), np.array(SCORES))
    rotations = [np.asarray(matrix_from_6d(np.array(six))) for six in SIX]
    return {
        "picture": picture().reshape(-1).tolist(),
        "resized": [
            {"rows": rows, "columns": cols, "quick": quick, "data": made.reshape(-1).tolist()}
            for (rows, cols, quick), made in zip(RESIZED, resized, strict=True)
        ],
        "crops": [
            {
                "square": square,
                "data": crop_square(picture(), np.array(square), 8).image.reshape(-1).tolist(),
            }
            for square in SQUARES
        ],
        "looks": [
            {
                "height": size[0],
                "width": size[1],
                "glance": looks.glance_px(size),
                "first": looks.looked_at_px(size, looks.FIRST_PX),
                "fine": looks.fine_px(size),
                "tiles": len(list(looks.tiles(size))) if looks.needs_tiles(size) else 0,
            }
            for size in SIZES
        ],
        "rotations": [
            {
                "six": six,
                "rows": np.round(matrix, 9).tolist(),
                "euler_deg": np.round(np.rad2deg(euler_from_matrix(matrix)), 6).tolist(),
            }
            for six, matrix in zip(SIX, rotations, strict=True)
        ],
        "suppressed": {
            "boxes": BOXES,
            "scores": SCORES,
            "kept": suppress(found, 0.3).scores.tolist(),
        },
    }


def main() -> None:
    """Write the file."""
    with atomic_path(FILE) as temporary:
        temporary.write_text(json.dumps(samples()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
