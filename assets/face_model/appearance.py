"""Regions and the drawn albedo.

Nothing here was measured on people: skin tones follow published ranges of the individual
typology angle (Chardon et al., 1991; very light above 55 degrees, dark below -30), regions are
drawn around the landmarks.
"""

import cv2
import numpy as np
from scipy import sparse

from face_model.eyes import IRIS_DEG, PUPIL_DEG
from face_model.head import PARTS, Head
from mlanet.geometry import matrix_from_euler
from mlanet.render import rasterize

SKIN = np.array([0.665, 0.485, 0.398])
TONE = np.array([0.136, 0.108, 0.095])
"""sRGB of the mean skin, and its step for one standard deviation of tone: the line that goes from
(66, 41, 29), dark brown, three deviations down to (239, 179, 150), light, two deviations up."""

LIPS, CHEEKS = np.array([0.88, 0.73, 0.73]), np.array([1.045, 0.97, 0.96])
BROWS, BEARD, NOSTRILS, RIMS = 0.5, 0.94, 0.4, np.array([1.06, 0.80, 0.80])
"""Shares of the skin's colour, whichever that is."""

SCLERA, SCLERA_TONE = np.array([0.78, 0.74, 0.695]), np.array([0.020, 0.022, 0.027])
SCLERA_SHADE = 0.28
"""What is lost of it under the upper lid. It goes along with the skin's tone a little."""

IRIS = np.array([0.33, 0.24, 0.19])
MOUTH_INSIDE = np.array([0.22, 0.09, 0.09])
TOOTH = np.array([0.88, 0.84, 0.76])
GUMS = np.array([0.72, 0.40, 0.38])
TONGUE = np.array([0.68, 0.36, 0.35])

BACK_TEETH_SHADE, BACK_TEETH_MM = 0.65, 26.0
"""What the cheeks' shadow takes from teeth and gums so far behind the incisors."""

VIEW_PX, VIEW_PX_PER_MM = 1536, 4.0

CORRELATED = (
    (("skin redness", "lips redness", "cheeks redness", "nose redness"), 0.6),
    (("brows", "beard", "scalp"), 0.6),
)
"""Groups of albedo modes that vary together, and their correlation."""


def regions_of(
    head: Head, landmarks: np.ndarray, ears: np.ndarray, smooth: sparse.csr_matrix
) -> dict[str, np.ndarray]:
    """Region masks (v,) in [0, 1] on the base mesh.

    Args:
        head: the mean's vertices and parts.
        landmarks: (68, 3) on the mean.
        ears: (v,) in [0, 1].
        smooth: (v, v), the mean of each vertex's neighbours.
    """
    vertices, skin = head.mean, head.part == 0
    x, y, z = vertices.T
    inside_mouth = np.zeros(len(x), bool)
    inside_mouth[: head.starts[1]] = head.skin.bag
    rims = np.zeros(len(x), bool)
    rims[: head.starts[1]] = head.skin.rims
    outside = skin & ~inside_mouth & ~rims
    front = outside & (z > 0.35 * landmarks[30, 2])
    eyes = rims | (head.part == 1) | (head.part == 2)

    def inside(polygon: np.ndarray, soft_mm: float) -> np.ndarray:
        outline = polygon[:, :2].astype(np.float32)
        signed = np.array(
            [cv2.pointPolygonTest(outline, (float(a), float(b)), True) for a, b in vertices[:, :2]]
        )
        return np.clip(0.5 + signed / (2 * soft_mm), 0, 1)

    lips = inside(landmarks[48:60], 0.8) * front
    # Of lips that meet nobody sees, or scans, the inner side.
    mouth = inside_mouth | (head.part >= 3) | ((lips > 0) & ~shown(vertices, head.faces))
    brows = np.zeros(len(vertices))
    for chain in (landmarks[17:22], landmarks[22:27]):
        outline = np.concatenate(
            [chain + np.array([0, 2.0, 0]), chain[::-1] - np.array([0, 4.0, 0])]
        )
        brows = np.maximum(brows, inside(outline, 1.5) * front)
    brow_y, chin = landmarks[17:27, 1].mean(), landmarks[8]
    azimuth = np.degrees(np.arctan2(np.abs(x), z))
    jaw = landmarks[8:17]
    jaw_azimuth = np.degrees(np.arctan2(np.abs(jaw[:, 0]), jaw[:, 2]))
    limit = jaw_azimuth[-1] + 4.0
    hairline = brow_y + 48.0 * np.sqrt(np.clip(1 - (azimuth / (limit + 6)) ** 2, 0, 1))
    jaw_y = np.interp(azimuth, jaw_azimuth, jaw[:, 1]) - 3.0
    depth_ok = z > np.interp(azimuth, [0, limit], [chin[2] - 28.0, -50.0])
    not_ear = outside * (ears < 0.3)
    margin = np.minimum.reduce([hairline - y, y - jaw_y, (limit - azimuth) * 1.2])
    nostrils = np.zeros(len(x), bool)
    nostrils[: head.starts[1]] = head.skin.base_index < 0
    face = np.clip(margin / 4.0, 0, 1) * depth_ok * not_ear * ~nostrils
    below = np.where(azimuth < limit, jaw_y, jaw[-1, 1] - 12.0 - 0.55 * (azimuth - limit))
    neck = np.clip((below - y) / 6.0, 0, 1) * not_ear
    neck = np.where(depth_ok | (azimuth > limit), neck, np.clip((brow_y - y) / 6, 0, 1) * not_ear)
    behind = np.clip((azimuth - limit) / 4.0, 0, 1) * np.clip((y - below) / 6.0, 0, 1)
    scalp = np.maximum(np.clip((y - hairline) / 6.0, 0, 1) * (azimuth < limit), behind) * not_ear
    nose_tip = landmarks[30]
    nose = np.clip(1.5 - np.linalg.norm((vertices - nose_tip) / [14, 16, 20], axis=1), 0, 1)
    cheeks = np.zeros(len(vertices))
    for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
        centre = eye + np.array([np.sign(eye[0]) * 8.0, -32.0, 0])
        cheeks = np.maximum(cheeks, np.exp(-(((vertices - centre)[:, :2] / 17.0) ** 2).sum(1)))
    cheeks = cheeks * front
    beard_y = np.interp(np.abs(x), [0, 60], [landmarks[33, 1] - 4, landmarks[48, 1] + 8])
    beard = np.clip((beard_y - y) / 6.0, 0, 1) * np.clip((y - chin[1] + 14) / 10.0, 0, 1)
    beard = beard * (1 - lips) * (z > 0) * outside * (azimuth < limit)
    for _ in range(2):
        scalp = np.where(outside, (scalp + smooth @ scalp) / 2, scalp)
    return {
        "face": face, "eyes": eyes.astype(float), "mouth": mouth.astype(float), "lips": lips,
        "brows": brows, "nose": nose * front * ~nostrils, "cheeks": cheeks, "beard": beard,
        "ears": ears, "neck": neck, "scalp": scalp,
    }  # fmt: skip


def shown(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices (v,) of triangles that are seen from the front, either side, above or below."""
    seen = np.zeros(len(vertices), bool)
    for pitch, yaw in ((0, 0), (0, 50), (0, -50), (25, 0), (-25, 0)):
        turned = vertices @ matrix_from_euler(np.radians([pitch, yaw, 0.0])).T
        points = turned * VIEW_PX_PER_MM + [VIEW_PX / 2, VIEW_PX / 2, 2000.0]
        found = rasterize(points, faces, (VIEW_PX, VIEW_PX), cull_backfaces=True).face_index
        seen[faces[np.unique(found[found >= 0])]] = True
    return seen


def albedo_model(
    head: Head, landmarks: np.ndarray, regions: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean (V, 3), modes (A, V, 3) scaled by their standard deviation, and their names."""
    vertices = head.mean
    ones = np.ones(len(vertices))
    lips = regions["lips"]
    balls, teeth, gums, tongue, shadow = (np.zeros(len(vertices)) for _ in range(5))
    balls[np.isfinite(head.eye_angle)] = 1.0
    for name, part in head.mouth_parts.items():
        rows = slice(*head.starts[[PARTS.index(name), PARTS.index(name) + 1]])
        if name == "tongue":
            tongue[rows] = 1 - 0.6 * part.dark
            continue
        behind = vertices[rows, 2].max() - vertices[rows, 2]
        light = 1 - BACK_TEETH_SHADE * np.clip(behind / BACK_TEETH_MM, 0, 1)
        shadow[rows] = 1 - light
        teeth[rows] = light * part.shade * (1 - 0.45 * part.dark)
        gums[rows] = light * (1 - part.shade)
    bag = np.zeros(len(vertices))
    bag[: head.starts[1]] = head.skin.bag
    skin = (head.part == 0) * (1 - bag)
    share = _share_of_skin(head, regions)
    degrees = np.degrees(np.nan_to_num(head.eye_angle, nan=180.0))
    iris, ring, pupil = iris_masks(degrees, 1.0)
    sclera = _under_lid(head)[:, None] * SCLERA
    eye_color = sclera + iris[:, None] * (IRIS - sclera)
    eye_color = eye_color * (1 - 0.45 * ring[:, None]) * (1 - 0.93 * pupil[:, None])
    painted = (
        (skin, SKIN * share), (balls, eye_color), (bag + shadow, MOUTH_INSIDE), (teeth, TOOTH),
        (gums, GUMS), (tongue, TONGUE),
    )  # fmt: skip
    mean = np.sum([mask[:, None] * color for mask, color in painted], axis=0)

    white = balls * (1 - iris)
    tone = skin[:, None] * TONE * share + white[:, None] * SCLERA_TONE
    table: list[tuple[str, np.ndarray, np.ndarray]] = [
        ("skin tone", ones, tone),
        ("skin redness", skin, np.array([0.009, -0.006, -0.004])),
        ("skin yellowness", skin, np.array([0.005, 0.003, -0.009])),
        ("exposure", ones, 0.035 * mean),
        ("brows", regions["brows"], 0.10 * SKIN),
        ("beard", regions["beard"], 0.05 * SKIN),
        ("lips darkness", lips, 0.04 * SKIN),
        ("lips redness", lips, np.array([0.014, -0.012, -0.008])),
        ("cheeks redness", regions["cheeks"], np.array([0.014, -0.007, -0.006])),
        ("nose redness", regions["nose"], np.array([0.009, -0.006, -0.005])),
        ("iris", iris * (1 - pupil), np.array([0.08, 0.10, 0.12])),
        ("iris warmth", iris * (1 - pupil), np.array([0.05, 0.01, -0.04])),
        ("iris size", _size_step(degrees), IRIS - SCLERA),
        ("sclera", white, np.array([0.025, 0.025, 0.028])),
        ("mouth inside", np.maximum(bag, tongue), np.array([0.06, 0.045, 0.045])),
        ("teeth", teeth, np.array([0.04, 0.045, 0.06])),
        ("scalp", regions["scalp"], 0.10 * SKIN),
    ]
    for name, centre in (
        ("forehead", landmarks[19:25].mean(0) + np.array([0, 22, 0])),
        ("chin", landmarks[7:10].mean(0) + np.array([0, 8, 6])),
        ("upper lip", landmarks[[33, 51]].mean(0)),
    ):
        mask = np.exp(-(((vertices - centre) / [24, 12, 24]) ** 2).sum(1)) * skin
        table.append((name, mask, 0.027 * SKIN))
    around = np.zeros(len(vertices))
    for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
        around = np.maximum(
            around, np.exp(-(((vertices - eye - [0, -2, 0])[:, :2] / [17, 10]) ** 2).sum(1))
        )
    table.append(("around the eyes", around * skin, 0.038 * SKIN))
    names = [name for name, _, _ in table]
    modes = np.stack([mask[:, None] * color for _, mask, color in table])
    modes = np.tensordot(np.linalg.cholesky(correlation(names)).T, modes, axes=1)
    return np.clip(mean, 0.02, 0.98), modes, names


def _share_of_skin(head: Head, regions: dict[str, np.ndarray]) -> np.ndarray:
    """What of the skin's colour (v, 3) is left where it is red, hairy or in shadow.

    Shares, and not differences, make lips and brows go along with light and dark skin.
    """
    count = head.starts[1]
    rims, nostrils = np.zeros(len(head.mean)), np.zeros(len(head.mean))
    rims[:count] = head.skin.rims
    nostrils[:count] = head.skin.base_index < 0
    share = np.ones((len(head.mean), 3))
    for mask, color in (
        (regions["lips"], LIPS), (regions["cheeks"], CHEEKS), (0.6 * regions["nose"], CHEEKS),
        (regions["brows"], BROWS), (regions["beard"], BEARD), (rims, RIMS), (nostrils, NOSTRILS),
    ):  # fmt: skip
        share *= 1 + mask[:, None] * (np.asarray(color) - 1)
    return share


def _under_lid(head: Head) -> np.ndarray:
    """Light (v,) in [0, 1] on the balls: less under the upper lid and towards the corners."""
    light = np.ones(len(head.mean))
    for number, poles in enumerate(head.eye_poles, start=1):
        rows = slice(*head.starts[number : number + 2])
        centre = head.mean[poles].mean(axis=0)
        arm = head.mean[rows] - centre
        arm /= np.linalg.norm(arm, axis=1, keepdims=True)
        above = np.clip((arm[:, 1] - 0.05) / 0.40, 0, 1)
        below = np.clip((-arm[:, 1] - 0.25) / 0.40, 0, 1)
        aside = np.clip((np.abs(arm[:, 0]) - 0.45) / 0.45, 0, 1)
        light[rows] = 1 - SCLERA_SHADE * np.maximum.reduce([above, 0.6 * below, 0.6 * aside])
    return light


def iris_masks(degrees: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Iris, its dark rim and the pupil (v,) in [0, 1] by the angle from the axis of gaze."""
    edge = IRIS_DEG * size
    iris = np.clip((edge + 1.25 - degrees) / 2.5, 0, 1)
    rim = np.clip(1 - np.abs(degrees - edge + 1.5) / 2.5, 0, 1)
    pupil = np.clip((PUPIL_DEG + 1.5 - degrees) / 3.0, 0, 1)
    return iris, rim * iris, pupil


def _size_step(degrees: np.ndarray) -> np.ndarray:
    """How the iris' mask changes with its size, for a deviation of 4 %."""
    return iris_masks(degrees, 1.04)[0] - iris_masks(degrees, 1.0)[0]


def correlation(names: list[str]) -> np.ndarray:
    """How the modes go together in people: hair has one colour, blood shows everywhere.

    A mode then carries what usually comes with it, and later ones of its group their own rest.
    """
    matrix = np.eye(len(names))
    for group, amount in CORRELATED:
        index = [names.index(name) for name in group]
        for i in index:
            matrix[i, [j for j in index if j != i]] = amount
    return matrix
