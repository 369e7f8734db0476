"""Which pixels of a photo are skin, told from the photo and annotated landmarks alone.

    python benchmarks/visible_skin.py

The judge of `photo_error`: it knows nothing of meshes and textures. Skin is what GrabCut (Rother,
Kolmogorov and Blake, 2004) parts from the rest, seeded inside and around the landmarks, and what
has the colour of the skin near it. Eyes, lips and nostrils are no skin.

As a command it draws heads with hair, glasses, things before them and backgrounds, of which it is
known what is skin, and prints how much of what it calls skin is (precision) and how much of the
skin it finds (recall), where a mesh of the same head shows its face.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import tyro
from jaxtyping import Bool, Float, UInt8
from rich.console import Console
from rich.table import Table

from mlanet.coefficients import Coefficients
from mlanet.geometry import Camera, MeshTopology, decode_lighting, decode_pose
from mlanet.morphable import MorphableModel, load_model
from mlanet.render import Renderer
from mlanet.synthesis.heads import HeadsConfig, RenderedHeads
from mlanet.synthesis.pose import decoded_landmarks
from mlanet.synthesis.shapes import Shape, glasses, glasses_faces, hair, hair_faces
from mlanet.synthesis.surroundings import background, camera_flaws, occlude

Image = UInt8[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Points = Float[np.ndarray, "68 2"]

FACE_PX = 128.0
"""Size of the landmarks in the picture that is looked at."""

ABOVE, AROUND = 0.75, 0.35
"""How far beyond the landmarks skin may lie, above them and elsewhere, of their size."""

ROOM = 0.15
"""How much more of the photo is looked at, which is no skin."""

BROWS, EYES, LIPS = (slice(17, 22), slice(22, 27)), (slice(36, 42), slice(42, 48)), slice(48, 60)
NOSTRILS = slice(31, 36)
"""Landmarks (iBUG 68)."""

INSIDE, APART = 0.05, 0.025
"""How far inside the landmarks' hull seeds lie, and how far from eyes, brows and lips, of their
size."""

SPREAD = (12.0, 4.5, 4.5)
"""Least standard deviations of skin's CIELAB colours around those nearby."""

NEARBY = 0.12
"""Standard deviation of what is nearby, of the landmarks' size."""

FIRST, SEED, LIKELY, SURELY_NOT = 2.5, 1.8, 3.0, 5.0
"""Deviations up to which seeds are skin, skin is likely, and from which nothing is."""

ROUNDS, CUTS = 6, 3

RANGES = HeadsConfig(center=0.05, log_scale=0.1)
OFTEN = (0.7, 0.3, 0.4)
"""Shares of heads with hair, with glasses, and with something before them."""

MISSED = 0.02
"""How far around the face it is asked, of the picture's side."""


def visible_skin(photo: Image, landmarks: Points) -> Mask:
    """Pixels of skin of the face with these landmarks (pixels); none if it has no size."""
    size = float(np.sqrt(np.prod(np.ptp(landmarks, axis=0))))
    nothing = np.zeros(photo.shape[:2], bool)
    if not size > 1.0:
        return nothing
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    beside, above = (AROUND + ROOM) * size, (ABOVE + ROOM) * size
    left, top = np.maximum(np.floor(low - [beside, above]), 0).astype(int)
    right, bottom = np.maximum(np.ceil(high + beside), 0).astype(int)
    part = photo[top:bottom, left:right]
    if min(part.shape[:2]) < 8:
        return nothing
    scale = FACE_PX / size
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    across = (max(round(part.shape[1] * scale), 8), max(round(part.shape[0] * scale), 8))
    small = cv2.resize(part, across, interpolation=how)
    found = _skin(small, (landmarks - [left, top]) * scale)
    shares = cv2.resize(found.astype(np.float32), part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    nothing[top:bottom, left:right] = shares > 0.5
    return nothing


def _skin(picture: Image, points: Points) -> Mask:
    """`visible_skin` where the landmarks' size is `FACE_PX`."""
    shape = picture.shape[:2]
    colors = cv2.cvtColor(
        cv2.bilateralFilter(picture, 5, 20.0, 3.0).astype(np.float32) / np.float32(255.0),
        cv2.COLOR_RGB2LAB,
    )
    hull = _filled(shape, points)
    eyes, lips = _filled(shape, *(points[own] for own in EYES)), _filled(shape, points[LIPS])
    holes = eyes | lips
    parts = _filled(shape, *(points[own] for own in (*EYES, *BROWS, LIPS, NOSTRILS)))
    seeds = ~_grown(~hull, INSIDE) & ~_grown(parts, APART)
    if not seeds.any():
        return np.zeros(shape, bool)
    own, away = _nearby(colors, seeds)
    reach = _grown(hull, AROUND) | _grown(_shifted(hull, ABOVE / 2.0), ABOVE / 2.0)
    mask = np.full(shape, cv2.GC_PR_BGD, np.uint8)
    mask[(away < LIKELY) & reach] = cv2.GC_PR_FGD
    mask[own] = cv2.GC_FGD
    mask[~reach | (away > SURELY_NOT) | _grown(holes, 0.01)] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(picture[..., ::-1].copy(), mask, (0, 0, 1, 1), *models, CUTS, cv2.GC_INIT_WITH_MASK)
    cut = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    _, far = _nearby(colors, cut & (away < LIKELY))
    found = cut & (np.minimum(far, away) < LIKELY) & ~_grown(holes, 0.01)
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(found)
    kept = np.bincount(labels[own & (found > 0)], minlength=labels.max() + 1) > 0
    kept[0] = False
    return np.take(kept, np.asarray(labels, dtype=np.intp))


def _nearby(colors: Float[np.ndarray, "h w 3"], seeds: Mask) -> tuple[Mask, np.ndarray]:
    """The seeds of usual colour, and everything's deviations from those of them that are near."""
    usual = np.median(colors[seeds], axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(colors[seeds] - usual), axis=0), SPREAD)
    away = np.sqrt((((colors - usual) / spread) ** 2).sum(axis=-1))
    own = seeds & (away < FIRST)
    for _ in range(ROUNDS):
        weight = own.astype(np.float32)
        total, known = np.zeros_like(colors), np.zeros_like(weight)
        for wider in (1.0, 2.0, 4.0):  # the wider ones count where the narrow ones know nothing
            share = 1e-2 ** (wider - 1.0)
            sigma = wider * NEARBY * FACE_PX
            total += share * _blurred(colors * weight[..., None], sigma)
            known += share * _blurred(weight, sigma)
        local = (total + 1e-9 * usual) / (known + 1e-9)[..., None]
        away = np.sqrt((((colors - local) / SPREAD) ** 2).sum(axis=-1))
        own = seeds & (away < SEED)
    return own, away


def _blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, zero outside; at a quarter of the size, since it is wide."""
    height, width = plane.shape[:2]
    few = cv2.resize(plane, (-(-width // 4), -(-height // 4)), interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), sigma / 4.0, borderType=cv2.BORDER_CONSTANT)
    return cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)


def _filled(shape: tuple[int, ...], *outlines: Float[np.ndarray, "n 2"]) -> Mask:
    """Inside the hulls of points."""
    drawn = np.zeros(shape[:2], np.uint8)
    for points in outlines:
        cv2.fillConvexPoly(drawn, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return drawn > 0


def _grown(mask: Mask, share: float) -> Mask:
    """What lies within a distance, of the landmarks' size."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    return away <= share * FACE_PX


def _shifted(mask: Mask, share: float) -> Mask:
    """Farther up."""
    by = int(share * FACE_PX)
    shifted = np.zeros_like(mask)
    shifted[: len(mask) - by] = mask[by:]
    return shifted


@dataclass(frozen=True)
class Options:
    """What to draw."""

    heads: int = 100
    size: int = 300
    """Side of the pictures in pixels."""
    seed: int = 4


@dataclass(frozen=True, eq=False)
class KnownSkin:
    """A drawn head: its landmarks, what is skin, and where that is asked."""

    picture: Image
    landmarks: Points
    skin: Mask
    asked: Mask


@dataclass(frozen=True, eq=False)
class _Scene:
    """A head with things around it."""

    model: MorphableModel
    coefficients: Coefficients
    vertices: Float[np.ndarray, "v 3"]
    things: tuple[tuple[Shape, np.ndarray], ...]
    size: int

    def draw(
        self,
        own: Float[np.ndarray, "v 3"],
        behind: Float[np.ndarray, "h w 3"],
        *,
        lit: bool = False,
        bare: bool = False,
    ) -> Float[np.ndarray, "h w 3"]:
        """With colours of the head's vertices; what is not lit shows its things in black."""
        vertices, colors, faces = [self.vertices], [own], [self.model.topology.faces]
        for shape, corners in () if bare else self.things:
            faces.append(corners + np.int32(sum(map(len, vertices))))
            vertices.append(shape.vertices)
            colors.append(shape.colors if lit else np.zeros_like(shape.colors))
        points, found = np.concatenate(vertices), self.coefficients
        renderer = Renderer(
            MeshTopology(np.concatenate(faces), len(points)), (self.size, self.size)
        )
        light = decode_lighting(found.lighting) if lit else None
        pose = decode_pose(found.rotation, found.translation)
        camera = Camera.of_crop(self.size)
        albedo = np.concatenate(colors)
        drawn = renderer(points, pose, camera, light, albedo=albedo, background=behind)
        return np.clip(drawn.image, 0.0, 1.0)


def known_skin(model: MorphableModel, options: Options) -> Iterator[KnownSkin]:
    """Heads with hair, glasses and things before them, before backgrounds.

    It is asked on the face and as far around it as meshes miss outlines, but for eyes, brows and
    lips.
    """
    size = options.size
    heads = RenderedHeads(model, size, options.heads, options.seed, config=RANGES)
    own = _vertices_of(model, "skin")
    other = np.maximum(1.0 - own, model.region("eyes", "brows", "lips"))
    labels = np.stack([own, own * model.region("face"), other], axis=1)
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(MISSED * size) + 1,) * 2)
    black = np.zeros((size, size, 3), np.float32)
    for index in range(options.heads):
        rng = np.random.default_rng([options.seed, index])
        found = model.layout.split(heads.coefficients(rng))
        vertices = model.vertices(found.identity, found.expression)
        points = model.landmarks(found.identity, found.expression)
        with_hair, with_glasses, covered = (rng.random(3) < OFTEN).tolist()
        things = [(hair(vertices, rng), hair_faces())] * with_hair
        things += [(glasses(points, rng), glasses_faces())] * with_glasses
        scene = _Scene(model, found, vertices, tuple(things), size)
        picture = scene.draw(model.albedo(found.albedo), background(size, rng), lit=True)
        shown, bare = scene.draw(labels, black), scene.draw(labels, black, bare=True)
        skin = (shown[..., 0] > 0.5) & (shown[..., 2] < 0.5)
        asked = cv2.dilate((bare[..., 1] > 0.5).astype(np.uint8), reach) > 0
        asked &= bare[..., 2] < 0.02
        if covered:
            before, picture = picture, occlude(picture, rng)
            skin &= np.abs(picture - before).max(axis=-1) < 0.02
        landmarks = decoded_landmarks(points, found.rotation, found.translation, size)
        yield KnownSkin(camera_flaws(picture, rng), landmarks[:, :2], skin, asked)


def precision_and_recall(heads: Iterable[KnownSkin]) -> tuple[float, float, float]:
    """Precision, recall, and the share of skin in what is asked; of all heads' pixels together."""
    right, called, true, asked = 0, 0, 0, 0
    for head in heads:
        found = visible_skin(head.picture, head.landmarks) & head.asked
        skin = head.skin & head.asked
        right += int((found & skin).sum())
        called, true = called + int(found.sum()), true + int(skin.sum())
        asked += int(head.asked.sum())
    return right / max(called, 1), right / max(true, 1), true / max(asked, 1)


def _vertices_of(model: MorphableModel, part: str) -> Float[np.ndarray, "v"]:
    chosen = np.zeros(model.topology.num_vertices, dtype=np.float32)
    chosen[model.topology.faces[model.faces_of(part)]] = 1.0
    return chosen


def main(options: Options) -> None:
    """Print the table."""
    precision, recall, share = precision_and_recall(known_skin(load_model(), options))
    table = Table(title=f"{options.heads} heads, {share:.0%} of the asked pixels are skin")
    for column in ("precision", "recall"):
        table.add_column(column, justify="right")
    table.add_row(f"{precision:.3f}", f"{recall:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
