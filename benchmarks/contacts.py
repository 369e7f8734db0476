"""Where parts of a head touch: how far closed lids gape, how deep lids and lips enter.

A model says which triangles of its decoded mesh are skin, eyes and teeth (`part_names`,
`faces_of`). None of these figures applies to a model of one surface.
"""

from dataclasses import dataclass

import numpy as np

from mlanet.geometry import MeshTopology, SurfaceIndex, face_normals, vertex_normals
from mlanet.morphable import MorphableModel
from mlanet.render import rasterize

EYES = {"eye_left": "eyeBlinkLeft", "eye_right": "eyeBlinkRight"}
TEETH = ("teeth_upper", "teeth_lower")
FIGURES = ("blink_gap_mm", "penetration_mm", "lid_in_eye_mm", "lip_in_tooth_mm")

MAP_PX, HALF_ANGLE_DEG = 1024, 50.0
"""Of the picture that an eye's centre sees of its lids."""

NEAR_MM = 2.0
LIDS_MM, LIPS_MM = 6.0, 8.0
"""Skin so near to an eyeball, and lips so near to teeth, in the mean face with any expression,
are looked at in every face."""


@dataclass(frozen=True)
class Sphere:
    """Centre (3,) and radius, mm."""

    centre: np.ndarray
    radius: float

    @classmethod
    def fitted(cls, points: np.ndarray) -> "Sphere":
        """The sphere nearest to points (n, 3), by linear least squares."""
        rows = np.column_stack([2.0 * points, np.ones(len(points))])
        found = np.linalg.lstsq(rows, (points**2).sum(axis=1), rcond=None)[0]
        return cls(found[:3], float(np.sqrt(found[3] + found[:3] @ found[:3])))


def contact_figures(
    model: MorphableModel, blinking: int = 100, faces: int = 1000
) -> dict[str, float | None]:
    """The figures over the mean head and random ones; None where they do not apply."""
    if not has_parts(model):
        return dict.fromkeys(FIGURES)
    rng = np.random.default_rng(0)
    people = rng.normal(size=(max(blinking, faces), model.layout.identity)).astype(np.float32)
    gap = max(
        blink_gap_mm(model, identity) for identity in [np.zeros_like(people[0]), *people[:blinking]]
    )
    lids, lips = penetration_mm(model, people[:faces])
    return dict(zip(FIGURES, (gap, max(lids, lips), lids, lips), strict=True))


def has_parts(model: MorphableModel) -> bool:
    return len(getattr(model, "part_names", ())) > 0


def part_faces(model: MorphableModel, name: str) -> np.ndarray:
    """Triangles (n, 3) of the decoded mesh that are a part."""
    return model.topology.faces[model.faces_of(name)]


def skin_faces(model: MorphableModel) -> np.ndarray:
    """Triangles (f, 3) of the decoded mesh's skin; all of a model of one surface."""
    return part_faces(model, "skin") if has_parts(model) else model.topology.faces


def blink_gap_mm(model: MorphableModel, identity: np.ndarray) -> float:
    """Largest gap of both eyes, each with its own blink at 1."""
    gaps = []
    for eye, blink in EYES.items():
        expression = np.zeros(model.layout.expression, np.float32)
        expression[model.expression_names.index(blink)] = 1.0
        vertices = decoded(model, identity, expression)
        ball = Sphere.fitted(vertices[np.unique(part_faces(model, eye))])
        gaps.append(gap_mm(vertices, part_faces(model, "skin"), ball))
    return max(gaps)


def gap_mm(vertices: np.ndarray, skin: np.ndarray, ball: Sphere) -> float:
    """Largest height of what no skin covers before an eyeball, seen from its centre, mm.

    The camera looks ahead (z); a gap is measured as an arc on the eyeball's sphere.
    """
    focal = MAP_PX / 2.0 / np.tan(np.radians(HALF_ANGLE_DEG))
    local = vertices - ball.centre
    ahead = local[:, 2] > NEAR_MM
    depth = np.where(ahead, local[:, 2], 1.0)
    points = np.column_stack(
        [
            MAP_PX / 2.0 + focal * local[:, 0] / depth,
            MAP_PX / 2.0 - focal * local[:, 1] / depth,
            depth,
        ]
    )
    before = skin[ahead[skin].all(axis=1)]
    shown = rasterize(points, before.astype(np.int32), (MAP_PX, MAP_PX), cull_backfaces=False)
    bare = shown.face_index < 0
    # One pixel's angle, from below to above, as seen at the middle of its column.
    edges = (np.arange(MAP_PX + 1) - MAP_PX / 2.0) / focal
    across = np.sqrt(1.0 + ((edges[1:] + edges[:-1]) / 2.0) ** 2)
    angle = np.diff(np.arctan(edges[:, None] / across[None, :]), axis=0)
    return float(ball.radius * (bare * angle).sum(axis=0).max())


@dataclass(frozen=True)
class Part:
    """A part of the decoded mesh: its vertices (n,), and triangles that index them."""

    rows: np.ndarray
    topology: MeshTopology

    @classmethod
    def of(cls, model: MorphableModel, name: str) -> "Part":
        rows, local = np.unique(part_faces(model, name), return_inverse=True)
        return cls(rows, MeshTopology(local.reshape(-1, 3), len(rows)))

    def distance(self, vertices: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Signed distances of some vertices of the head from the part, negative inside, mm.

        Of those that lie behind the triangle that they are nearest to, or behind its smooth normal,
        the winding number decides: at edges of teeth either misleads. Gums may be open.
        """
        if not len(rows):
            return np.zeros(0)
        mine, points, faces = vertices[self.rows], vertices[rows], self.topology.faces
        found = SurfaceIndex(mine, self.topology).query(points)
        smooth = vertex_normals(mine, faces, self.topology.faces_of_vertex)
        weights = found.barycentric[..., None]
        apart = points - found.points
        behind = np.zeros(len(rows), bool)
        for normal in (
            (smooth[faces[found.face_index]] * weights).sum(axis=1),
            face_normals(mine, faces[found.face_index]),
        ):
            behind |= (apart * normal).sum(axis=1) < 0.0
        behind[behind] = winding_number(points[behind], mine[faces]) > 0.5
        return np.where(behind, -found.distance, found.distance)


def winding_number(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """How often a surface (f, 3, 3), seen counter-clockwise from outside, goes round points (n, 3).

    The sum of the triangles' solid angles (van Oosterom and Strackee, 1983).
    """
    a, b, c = (triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(axis=-1)
    rest = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(volume, rest).sum(axis=1) / (2.0 * np.pi)


def penetration_mm(model: MorphableModel, people: np.ndarray) -> tuple[float, float]:
    """Deepest skin in an eyeball's front, and lip in teeth: random people, single expressions."""
    rest = np.zeros(model.layout.expression, np.float32)
    average = np.zeros(model.layout.identity, np.float32)
    shown = [(average, rest)]
    shown += [(average, action) for action in np.eye(len(rest), dtype=np.float32)]
    skin = np.unique(part_faces(model, "skin"))
    lips = skin[model.region("lips")[skin] > 0.5]
    looked_at = dict.fromkeys(EYES, skin) | dict.fromkeys(TEETH, lips)
    parts = {name: Part.of(model, name) for name in (*EYES, *TEETH)}
    near = {name: np.zeros(len(rows), bool) for name, rows in looked_at.items()}
    for case in shown:
        vertices = decoded(model, *case)
        for name, part in parts.items():
            reach = LIDS_MM if name in EYES else LIPS_MM
            near[name] |= np.abs(part.distance(vertices, looked_at[name])) < reach
    depth = dict.fromkeys(parts, 0.0)
    for case in (*shown, *((identity, rest) for identity in people)):
        vertices = decoded(model, *case)
        for name, part in parts.items():
            rows = looked_at[name][near[name]]
            if name in EYES:
                middle = Sphere.fitted(vertices[part.rows]).centre
                rows = rows[vertices[rows, 2] > middle[2]]
            found = -part.distance(vertices, rows)
            depth[name] = max(depth[name], float(found.max(initial=0.0)))
    return max(depth[name] for name in EYES), max(depth[name] for name in TEETH)


def decoded(model: MorphableModel, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
    return model.vertices(identity, expression).astype(np.float64)
