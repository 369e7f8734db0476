"""Lips that do not pass through teeth."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from face_model.mouth import TOOTH_ROWS, Part
from face_model.registration import chains, laplacian
from face_model.skin import Skin
from mlanet.geometry import MeshTopology, SurfaceIndex, vertex_normals

REACH_MM = 6.0
"""Skin nearer to the teeth than this, at rest, is what may touch them."""

CLEAR_MM = 0.25
"""Room that is kept between lips and teeth in every expression."""

ROUNDS = 40
SMOOTHNESS = 0.6

GUM_ROW = 1
"""Row of a row of teeth that stands out farthest."""

ROLLING_MM = 16.0
"""Skin nearer to the teeth, at rest, is what may roll round them."""

SLIDE_MM, SLIDE_ROOM_MM = 3.5, 0.6
"""Lips that roll inwards slow down so far before the teeth, and come to rest at so little."""

MEETING_MM, BRAKE_MM = 0.0, 1.2
"""So far from the line where lips meet those that roll inwards end, and where they slow down."""

OVERLAP_MM, CLOSING_MM = 0.2, 4.0
"""Closed lips press into each other by so much; so far from their line they are moved for it."""

CLOSING_ROUNDS = 3

LIP_MM = 12.0
"""Skin so near to the line where the mouth's bag begins belongs to the lips."""

CALM_SD = 3.5
"""Standard deviations of identity at which lips still clear the teeth."""

EDGE_MM, ACROSS_MM = 0.5, 1.5
"""How fast vertices above an edge of the lips count less for where it is, and their reach across.
"""


class Lips:
    """The skin before the teeth."""

    def __init__(
        self, skin: Skin, mean: np.ndarray, upper: Part, lower: Part, jaw_open: np.ndarray
    ) -> None:
        self._skin = skin
        self._below = below_mouth(mean, skin, jaw_open)
        count = len(upper.vertices)
        self._teeth_faces = np.concatenate([upper.faces, lower.faces + count])
        self._topology = MeshTopology(self._teeth_faces, count + len(lower.vertices))
        self._upper_faces = len(upper.faces)
        teeth = np.concatenate([upper.vertices, lower.vertices])
        self._at_rest = teeth
        rows = np.arange(count).reshape(len(TOOTH_ROWS), -1)
        self._upper_line = rows[GUM_ROW]
        self._lower_line = count + rows[GUM_ROW]
        self._upper_edge = rows[4]
        found = SurfaceIndex(teeth, self._topology).query(mean)
        near = (found.distance < REACH_MM) & ~skin.bag & ~skin.rims
        near[skin.lips] = True
        self.vertices = np.flatnonzero(near | skin.bag)
        self._before = np.flatnonzero(near)
        self._rolling = np.flatnonzero((found.distance < ROLLING_MM) & ~skin.rims)
        self.bag_rows, self._bag_teeth, self._bag_share = _hold_of_bag(skin, mean, teeth)
        smooth = laplacian(MeshTopology(skin.faces, len(mean)))
        self._spread = sparse.identity(len(mean)) + SMOOTHNESS * smooth

    def before(self, mean: np.ndarray, teeth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which touching vertices lie before the upper teeth, and before the lower ones."""
        found = SurfaceIndex(teeth, self._topology).query(mean[self._before])
        above = found.face_index < self._upper_faces
        close = found.distance < 3.5
        return self._before[above & close], self._before[~above & close]

    def with_bag(self, field: np.ndarray, teeth_motion: np.ndarray) -> np.ndarray:
        """A field (v, 3) in which the bag's walls go along with the teeth (t, 3) beside them."""
        field = field.copy()
        along = teeth_motion[self._bag_teeth]
        field[self.bag_rows] += self._bag_share[:, None] * (along - field[self.bag_rows])
        return field

    def cleared(
        self,
        mean: np.ndarray,
        field: np.ndarray,
        teeth: np.ndarray,
        room: float = CLEAR_MM,
        *,
        rolls: bool = False,
    ) -> np.ndarray:
        """An expression (v, 3) of the skin whose lips stay before the teeth (t, 3)."""
        place = mean + field
        if rolls:
            place = self._slid(mean, place, teeth)
        index = SurfaceIndex(teeth, self._topology)
        topology = self._topology
        normals = vertex_normals(teeth, topology.faces, topology.faces_of_vertex)
        solver = splu(self._spread.tocsc())
        for _ in range(ROUNDS):
            here = place[self.vertices]
            found = index.query(here)
            corner = self._teeth_faces[found.face_index]
            normal = (normals[corner] * found.barycentric[..., None]).sum(axis=1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
            within = ((here - found.points) * normal).sum(axis=1) < 0
            height = np.where(within, -found.distance, found.distance)
            inside = height < room
            if not inside.any():
                break
            push = np.zeros_like(place)
            # Lips go out of the mouth, whichever side of a tooth is nearer.
            lip = ~self._skin.bag[self.vertices[inside]]
            outward = normal[inside] + np.array([0.0, 0.0, 0.6])
            outward[lip & (outward[:, 2] < 0.7)] = [0.0, 0.0, 1.0]
            outward /= np.linalg.norm(outward, axis=1, keepdims=True)
            push[self.vertices[inside]] = (room - height[inside])[:, None] * outward
            spread = solver.solve(push)
            largest = np.linalg.norm(spread, axis=1).max()
            wanted = np.linalg.norm(push, axis=1).max()
            place = place + spread * min(wanted / max(largest, 1e-9), 2.0)
        return place - mean

    def room(
        self, mean: np.ndarray, teeth: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Vertices (n,) before teeth (t, 3), their distances, directions (n, 3), nearest points.

        Nearest points are corners (n, 3) and weights (n, 3).
        """
        found = SurfaceIndex(teeth, self._topology).query(mean[self.vertices])
        apart = mean[self.vertices] - found.points
        lengths = np.linalg.norm(apart, axis=1)
        kept = (lengths < REACH_MM) & (apart[:, 2] > 0)
        normal = apart[kept] / (lengths[kept, None] + 1e-9)
        corners = self._teeth_faces[found.face_index[kept]]
        return self.vertices[kept], lengths[kept], normal, (corners, found.barycentric[kept])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values (v, c) smoothed over the skin."""
        return splu(self._spread.tocsc()).solve(values)

    def _slid(self, mean: np.ndarray, place: np.ndarray, teeth: np.ndarray) -> np.ndarray:
        """Places (v, 3) of which lips that would roll round the teeth (t, 3) lie before them."""
        rows = self._rolling
        line = mean[self._skin.lips]
        at = np.interp(np.abs(mean[rows, 0]), *_middle_of(line))
        lower = self._below[rows]
        before, _ = self._beyond(mean[rows], lower, self._at_rest)
        here = place[rows]
        found, outward = self._beyond(here, lower, teeth)
        inward = np.clip((before - found - 0.5) / 1.5, 0, 1) * (before > -0.5)
        room = SLIDE_MM - SLIDE_ROOM_MM
        slowed = SLIDE_ROOM_MM + room * np.exp(np.minimum(found - SLIDE_MM, 0) / room)
        push = np.zeros_like(place)
        push[rows[:, None], [0, 2]] = (inward * np.where(found < SLIDE_MM, slowed - found, 0.0))[
            :, None
        ] * outward
        side = np.where(lower, -1.0, 1.0)
        over = side * (here[:, 1] - at) - MEETING_MM
        slowed = BRAKE_MM * np.exp(np.minimum(over / BRAKE_MM - 1, 0))
        kept = np.where(over < BRAKE_MM, slowed, over)
        push[rows, 1] = inward * side * (kept - over)
        return place + push

    def _beyond(
        self, points: np.ndarray, lower: np.ndarray, teeth: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How far points (n, 3) lie before the row of teeth at their side, and outwards (n, 2)."""
        distance, outward = _before_line(points[:, [0, 2]], teeth[self._lower_line][:, [0, 2]])
        other, way = _before_line(points[:, [0, 2]], teeth[self._upper_line][:, [0, 2]])
        upper = np.clip((points[:, 1] - teeth[self._upper_edge, 1].mean()) / 2.0 + 1.0, 0, 1)
        share = np.where(lower, upper, 1.0)
        return (
            distance + share * (other - distance),
            outward + share[:, None] * (way - outward),
        )


def closed(
    mean: np.ndarray, skin: Skin, decoding: sparse.csr_matrix, jaw_open: np.ndarray
) -> np.ndarray:
    """The mean skin (v, 3) with lips that touch: the scanned ones are a little apart.

    Args:
        mean: (v, 3).
        skin: its topology.
        decoding: (w, v), what subdivides it.
        jaw_open: (v, 3), which tells the lower lip from the upper one.
    """
    half_width = np.abs(mean[skin.lips, 0]).max()
    across = np.linspace(0.0, half_width, 15)
    at = np.abs(mean[:, 0])
    near = KDTree(mean[skin.lips]).query(mean)[0] < LIP_MM
    lower = below_mouth(mean, skin, jaw_open)
    sides = [near & ~lower, near & lower]
    decoded_sides = [decoding @ side.astype(float) > 0.99 for side in sides]
    fade = np.clip((half_width - across) / 4.0, 0, 1)
    for _ in range(CLOSING_ROUNDS):
        decoded = decoding @ mean
        x = np.abs(decoded[:, 0])
        top, bottom = np.zeros_like(across), np.zeros_like(across)
        for k, place in enumerate(across):
            above, below = (decoded[side & (np.abs(x - place) < 1.5), 1] for side in decoded_sides)
            top[k], bottom[k] = above.min(), below.max()
        need = np.clip(top - bottom + OVERLAP_MM, 0, None) * fade
        rise = np.interp(at, across, need, right=0.0) / 2
        meet = np.interp(at, across, (top + bottom) / 2)
        share = np.exp(-(((mean[:, 1] - meet) / CLOSING_MM) ** 2)) * rise
        mean = mean + (share * (sides[1].astype(float) - sides[0]))[:, None] * [0.0, 1.0, 0.0]
    return mean


def meeting(
    modes: np.ndarray,
    mean: np.ndarray,
    skin: Skin,
    decoding: sparse.csr_matrix,
    jaw_open: np.ndarray,
) -> np.ndarray:
    """Identity modes (k, v, 3) that keep closed lips closed: what would part them is shared out.

    Args:
        modes: of the skin.
        mean: (v, 3), lips closed.
        skin: its topology.
        decoding: (w, v), what subdivides it.
        jaw_open: (v, 3), which tells the lower lip from the upper one.
    """
    half_width = np.abs(mean[skin.lips, 0]).max()
    across = np.linspace(-half_width, half_width, 29)
    near = KDTree(mean[skin.lips]).query(mean)[0] < LIP_MM
    lower = below_mouth(mean, skin, jaw_open)
    decoded = decoding @ mean
    edges, rows = [], []
    for side, way in ((near & ~lower, 1.0), (near & lower, -1.0)):
        kept = decoding @ side.astype(float) > 0.99
        height = way * decoded[:, 1]
        close = kept & (np.abs(decoded[:, 0] - across[:, None]) < ACROSS_MM)
        lowest = np.where(close, height, np.inf).min(axis=1)
        weight = close * np.exp(np.minimum((lowest[:, None] - height) / EDGE_MM, 0.0))
        rows.append(sparse.csr_matrix(weight / weight.sum(axis=1, keepdims=True)) @ decoding)
        edges.append(way * lowest)
    parting = (rows[0] - rows[1]).tocsr()
    meet = np.interp(mean[:, 0], across, (edges[0] + edges[1]) / 2)
    share = np.exp(-(((mean[:, 1] - meet) / CLOSING_MM) ** 2)) * near
    share *= np.where(lower, 0.5, -0.5) * (np.abs(mean[:, 0]) < half_width)
    modes = modes.copy()
    for mode in modes:
        for _ in range(CLOSING_ROUNDS):
            mode[:, 1] += share * np.interp(mean[:, 0], across, parting @ mode[:, 1])
    return modes


def below_mouth(mean: np.ndarray, skin: Skin, jaw_open: np.ndarray) -> np.ndarray:
    """Which vertices (v,) the jaw takes along, as the lower lip at the same place across."""
    across = np.linspace(0.0, np.abs(mean[skin.lips, 0]).max(), 15)
    at = np.abs(mean[:, 0])
    near = KDTree(mean[skin.lips]).query(mean)[0] < LIP_MM
    drop = [-jaw_open[near & (np.abs(at - place) < 2.5), 1].min() for place in across]
    return -jaw_open[:, 1] > np.interp(at, across, drop) / 2


def calmed(
    modes: np.ndarray, teeth_modes: np.ndarray, mean: np.ndarray, teeth: np.ndarray, lips: Lips
) -> np.ndarray:
    """Identity modes (k, v, 3) whose lips rarely reach the teeth: the hidden side moves as they do.

    Where `CALM_SD` standard deviations of the room before the teeth are more than there is, the
    motion across the teeth, relative to theirs, is made smaller.

    Args:
        modes: of the skin.
        teeth_modes: (k, t, 3).
        mean: (v, 3).
        teeth: (t, 3).
        lips: what lies before the teeth.
    """
    rows, room, normal, nearest = lips.room(mean, teeth)
    apart = modes[:, rows] - np.einsum("kntc,nt->knc", teeth_modes[:, nearest[0]], nearest[1])
    across = np.einsum("knc,nc->kn", apart, normal)
    spread = np.sqrt((across**2).sum(axis=0))
    share = np.ones(len(mean))
    share[rows] = np.clip((room + 0.2) / (CALM_SD * spread + 1e-9), 0, 1)
    lack = np.zeros((len(mean), 1))
    lack[rows, 0] = 1 - share[rows]
    lack = np.maximum(lack, lips.spread(lack))[rows, 0]
    modes = modes.copy()
    modes[:, rows] -= (lack * across)[..., None] * normal
    return modes


def _middle_of(loop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height of the line where lips meet over |x|: places and heights, from a loop (n, 3)."""
    x = np.linspace(0.0, np.abs(loop[:, 0]).max(), 12)
    first, second = (loop[half] for half in chains(loop))
    heights = [np.interp(x, half[:, 0], half[:, 1]) for half in (first, second)]
    return x, np.mean(heights, axis=0)


def _before_line(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of points (n, 2) beyond an arch (k, 2) from right to left, and outwards (n, 2)."""
    line = np.concatenate([line[:1] - [0.0, 40.0], line, line[-1:] - [0.0, 40.0]])
    start, side = line[:-1], np.diff(line, axis=0)
    arm = points[:, None] - start
    share = np.clip((arm * side).sum(axis=-1) / (side**2).sum(axis=-1), 0, 1)
    apart = arm - share[..., None] * side
    nearest = np.linalg.norm(apart, axis=-1).argmin(axis=1)
    normal = np.stack([-side[:, 1], side[:, 0]], axis=1)
    normal = (normal / np.linalg.norm(normal, axis=1, keepdims=True))[nearest]
    apart = apart[np.arange(len(points)), nearest]
    distance = np.linalg.norm(apart, axis=1)
    return np.where((apart * normal).sum(axis=1) < 0, -distance, distance), normal


def _hold_of_bag(
    skin: Skin, mean: np.ndarray, teeth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the bag, the nearest vertex of the teeth, and how much it takes them along."""
    rows = np.flatnonzero(skin.bag)
    distance, nearest = KDTree(teeth).query(mean[rows])
    from_lips, _ = KDTree(mean[skin.lips]).query(mean[rows])
    share = np.clip(1.3 - distance / 8.0, 0, 1) * np.clip((from_lips - 2.0) / 6.0, 0, 1)
    return rows, nearest, share


def teeth_following(
    motion: np.ndarray, teeth: np.ndarray, lips: np.ndarray, lip_motion: np.ndarray
) -> np.ndarray:
    """The motion (t, 3) of teeth in an identity mode, moved in depth as the lips before them are.

    Args:
        motion: (t, 3) by the skull.
        teeth: (t, 3) at rest.
        lips: (k, 3) vertices before them.
        lip_motion: (k, 3).
    """
    _, nearest = KDTree(teeth).query(lips)
    apart = lip_motion - motion[nearest]
    x, z = lips[:, 0] / 20.0, (lips[:, 2] - lips[:, 2].max()) / 20.0
    system = np.stack([np.ones_like(x), x, z], axis=1)
    prior = len(lips) * np.diag([0.0, 0.05, 0.05])
    depth = np.linalg.solve(system.T @ system + prior, system.T @ apart[:, 2])
    wide = (apart[:, 0] * x).sum() / ((x * x).sum() + 0.1 * len(lips))
    here = teeth[:, 0] / 20.0, np.maximum((teeth[:, 2] - lips[:, 2].max()) / 20.0, -1.2)
    moved = motion.copy()
    moved[:, 2] += depth[0] + depth[1] * here[0] + depth[2] * here[1]
    moved[:, 0] += wide * here[0]
    return moved
