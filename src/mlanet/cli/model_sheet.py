"""One picture of a face model: mean, modes, expressions, landmarks."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler, points_on_surface
from mlanet.image import draw_points
from mlanet.morphable import MorphableModel
from mlanet.render import composite, render_mesh

TILE_PX = 220
TEXT_PX = 22
COLUMNS = 6
BACKGROUND = 244
TEXT = (30, 30, 30)
MARK = (0, 170, 80)
DISTANCE_MM = 1500.0
MARGIN = 1.25
"""Width of a tile over the mean's largest extent."""

DEVIATIONS = 3.0
NUM_MODES = 6
NUM_EXPRESSIONS = 12
"""Of blend shapes: those that move the most."""

FRONT_DEG = (0.0, 0.0, 0.0)
VIEWS_DEG = (FRONT_DEG, (0.0, 45.0, 0.0), (0.0, 90.0, 0.0))
CLAY_VIEWS_DEG = ((0.0, 20.0, 0.0), (30.0, 20.0, 0.0))

CORRECTED = {"mouthClose": "jawOpen"}
"""ARKit's shapes that mean nothing alone, and what they correct."""


def draw_sheet(model: MorphableModel) -> UInt8[np.ndarray, "h w 3"]:
    """The picture; a model without albedo is drawn as clay."""
    drawer = _Drawer(model)
    rows = [
        [drawer.tile(f"mean, yaw {view[1]:.0f}°", view) for view in VIEWS_DEG]
        + [drawer.tile(f"pitch {view[0]:.0f}°, clay", view, clay=True) for view in CLAY_VIEWS_DEG]
        + [drawer.landmarks()]
    ]
    layout = model.layout
    rows += drawer.both_signs("identity", model.identity_names[: min(NUM_MODES, layout.identity)])
    if model.expression_bounded:
        moved = np.abs(model.shape.expression).max(axis=(0, 1)) if layout.expression else []
        order = np.argsort(-np.asarray(moved), kind="stable")[:NUM_EXPRESSIONS]
        tiles = [drawer.blend_shape(int(k)) for k in sorted(order)]
        rows += [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    else:
        names = model.expression_names[: min(NUM_MODES, layout.expression)]
        rows += drawer.both_signs("expression", names)
    if model.has_albedo:
        rows += drawer.both_signs("albedo", model.albedo_names[: min(NUM_MODES, layout.albedo)])
    return _page(rows)


class _Drawer:
    """Draws tiles of one model, all at the same scale."""

    def __init__(self, model: MorphableModel) -> None:
        self._model = model
        low, high = model.shape.mean.min(axis=0), model.shape.mean.max(axis=0)
        self._centre = (low + high).astype(np.float64) / 2.0
        width = float((high - low).max()) * MARGIN
        self._camera = Camera(TILE_PX * DISTANCE_MM / width, (TILE_PX / 2, TILE_PX / 2))

    def tile(
        self,
        title: str,
        angles_deg: tuple[float, float, float],
        coefficients: Mapping[str, dict[int, float]] | None = None,
        *,
        clay: bool = False,
    ) -> UInt8[np.ndarray, "t w 3"]:
        """The model with some coefficients by kind and number, over its title."""
        layout, given = self._model.layout, coefficients or {}
        mesh = self._model.mesh(
            _vector(layout.identity, given.get("identity")),
            _vector(layout.expression, given.get("expression")),
            _vector(layout.albedo, given.get("albedo")),
        )
        if clay:
            mesh = Mesh(mesh.vertices, mesh.faces)
        return _titled(self._draw(mesh, angles_deg), title)

    def blend_shape(self, number: int) -> UInt8[np.ndarray, "t w 3"]:
        """One expression at full extent; those that correct another one, together with it."""
        names = self._model.expression_names
        name = names[number]
        base = CORRECTED.get(name)
        if base is None or base not in names:
            return self.tile(name, FRONT_DEG, {"expression": {number: 1.0}})
        both = {number: 1.0, names.index(base): 1.0}
        return self.tile(f"{base} + {name}", FRONT_DEG, {"expression": both})

    def both_signs(self, kind: str, names: Sequence[str]) -> list[list[UInt8[np.ndarray, "t w 3"]]]:
        """Two rows: modes at minus and at plus `DEVIATIONS`."""
        return [
            [
                self.tile(
                    f"{_short(name)} {sign}{DEVIATIONS:.0f} sd", FRONT_DEG, {kind: {k: value}}
                )
                for k, name in enumerate(names)
            ]
            for sign, value in (("-", -DEVIATIONS), ("+", DEVIATIONS))
            if names
        ]

    def landmarks(self) -> UInt8[np.ndarray, "t w 3"]:
        """The known landmarks on the mean."""
        model = self._model
        known = model.known_landmarks
        clay = Mesh(model.subdivide(model.shape.mean), model.topology.faces)
        picture = self._draw(clay, FRONT_DEG)
        points = points_on_surface(
            np.asarray(model.shape.mean, dtype=np.float64),
            model.base_faces,
            model.landmark_faces[known],
            model.landmark_barycentric[known],
        )
        pixels = self._camera.project(self._pose(FRONT_DEG).apply(points))[:, :2]
        marked = draw_points(picture, pixels, MARK, radius_px=1.6)
        return _titled(marked, f"{int(known.sum())} of {len(known)} landmarks")

    def _pose(self, angles_deg: tuple[float, float, float]) -> Pose:
        rotation = matrix_from_euler(np.radians(angles_deg))
        return Pose(rotation, np.array([0.0, 0.0, DISTANCE_MM]) - rotation @ self._centre)

    def _draw(
        self, mesh: Mesh, angles_deg: tuple[float, float, float]
    ) -> UInt8[np.ndarray, "s s 3"]:
        """The only place here that knows how a mesh becomes a picture."""
        drawn = render_mesh(mesh, self._pose(angles_deg), self._camera, (TILE_PX, TILE_PX))
        return composite(drawn, np.full((TILE_PX, TILE_PX, 3), BACKGROUND, np.uint8))


def _vector(size: int, values: dict[int, float] | None) -> Float[np.ndarray, "n"]:
    found = np.zeros(size, np.float32)
    for number, value in (values or {}).items():
        found[number] = value
    return found


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _titled(image: UInt8[np.ndarray, "s s 3"], title: str) -> UInt8[np.ndarray, "t w 3"]:
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    page = np.full((height + TEXT_PX, width, 3), BACKGROUND, np.uint8)
    page[:height] = image
    canvas = Image.fromarray(page)
    font = ImageFont.load_default(size=13)
    place = (width / 2, height + TEXT_PX / 2)
    ImageDraw.Draw(canvas).text(place, title, TEXT, font, "mm")
    return np.asarray(canvas)


def _page(rows: list[list[UInt8[np.ndarray, "t w 3"]]]) -> UInt8[np.ndarray, "h w 3"]:
    width = COLUMNS * TILE_PX
    page: list[UInt8[np.ndarray, "t w 3"]] = []
    for row in rows:
        line = np.hstack(row)
        rest = np.full((len(line), width - line.shape[1], 3), BACKGROUND, np.uint8)
        page.append(np.hstack([line, rest]))
    return np.vstack(page)
