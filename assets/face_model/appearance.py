"""Stage 2c of the embedded face model: regions and the procedural albedo.

Nothing here was measured on people: skin tones follow published ranges of the individual
typology angle (Chardon et al., 1991; very light above 55 degrees, dark below -30), regions are
drawn around the landmarks.
"""

import cv2
import numpy as np

# sRGB of skin, from very light to dark; intermediate tones are mixtures.
LIGHT_SKIN = np.array([0.88, 0.71, 0.63])
MIDDLE_SKIN = np.array([0.70, 0.51, 0.42])
DARK_SKIN = np.array([0.34, 0.22, 0.17])
SCLERA = np.array([0.86, 0.83, 0.81])
IRIS = np.array([0.22, 0.16, 0.13])
MOUTH_INSIDE = np.array([0.42, 0.22, 0.21])

CORRELATED = (
    (("skin redness", "lips redness", "cheeks redness", "nose redness"), 0.6),
    (("brows", "beard", "scalp"), 0.6),
    (("skin tone", "lips darkness"), 0.6),
)
"""Groups of albedo modes that vary together, and their correlation."""


def regions_of(
    vertices: np.ndarray,
    landmarks: np.ndarray,
    ear_motion: np.ndarray,
    eyes: np.ndarray,
    mouth: np.ndarray,
) -> dict[str, np.ndarray]:
    """Region masks (V,) in [0, 1] on the base mesh."""
    x, y, z = vertices.T
    front = z > 0.35 * z.max()

    def inside(polygon: np.ndarray, soft_mm: float) -> np.ndarray:
        outline = polygon[:, :2].astype(np.float32)
        signed = np.array(
            [cv2.pointPolygonTest(outline, (float(a), float(b)), True) for a, b in vertices[:, :2]]
        )
        return np.clip(0.5 + signed / (2 * soft_mm), 0, 1)

    lips = inside(landmarks[48:60], 0.8) * front * ~mouth
    brows = np.zeros(len(vertices))
    for chain in (landmarks[17:22], landmarks[22:27]):
        outline = np.concatenate(
            [chain + np.array([0, 2.0, 0]), chain[::-1] - np.array([0, 4.0, 0])]
        )
        brows = np.maximum(brows, inside(outline, 1.5) * front)
    ears = np.clip((ear_motion / ear_motion.max() - 0.3) / 0.3, 0, 1) * (z < 0.35 * z.max())

    brow_y = landmarks[17:27, 1].mean()
    chin_y = landmarks[8, 1]
    azimuth = np.degrees(np.arctan2(x, z))
    jaw = landmarks[:17]
    jaw_azimuth = np.degrees(np.arctan2(jaw[:, 0], jaw[:, 2]))
    limit = np.abs(jaw_azimuth[[0, 16]]).mean() + 4.0
    hairline = brow_y + 48.0 * np.sqrt(np.clip(1 - (azimuth / (limit + 6)) ** 2, 0, 1))
    jaw_y = np.interp(azimuth, jaw_azimuth, jaw[:, 1]) - 3.0
    depth_ok = z > np.interp(np.abs(azimuth), [0, limit], [landmarks[8, 2] - 28.0, -50.0])
    margin = np.minimum.reduce([hairline - y, y - jaw_y, (limit - np.abs(azimuth)) * 1.2])
    face = np.clip(margin / 4.0, 0, 1) * depth_ok * (ears < 0.3)
    neck = np.clip((jaw_y - y) / 6.0, 0, 1) * (ears < 0.3)
    scalp = np.clip((y - hairline) / 6.0, 0, 1) * (ears < 0.3)
    nose_tip = landmarks[30]
    nose = np.clip(1.5 - np.linalg.norm((vertices - nose_tip) / [14, 16, 20], axis=1), 0, 1)
    cheeks = np.zeros(len(vertices))
    for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
        centre = eye + np.array([np.sign(eye[0]) * 8.0, -32.0, 0])
        cheeks = np.maximum(cheeks, np.exp(-(((vertices - centre)[:, :2] / 17.0) ** 2).sum(1)))
    cheeks = cheeks * front
    beard_y = np.interp(np.abs(x), [0, 60], [landmarks[33, 1] - 4, landmarks[48, 1] + 8])
    beard = np.clip((beard_y - y) / 6.0, 0, 1) * np.clip((y - chin_y + 14) / 10.0, 0, 1)
    beard = beard * (1 - lips) * (z > 0) * ~mouth
    return {
        "face": face, "eyes": eyes.astype(float), "mouth": mouth.astype(float), "lips": lips,
        "brows": brows, "nose": nose * front, "cheeks": cheeks, "beard": beard, "ears": ears,
        "neck": neck, "scalp": scalp,
    }  # fmt: skip


def albedo_model(
    vertices: np.ndarray, landmarks: np.ndarray, regions: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean (V, 3), modes (A, V, 3) scaled by their standard deviation, and their names."""
    ones = np.ones(len(vertices))
    eyes, mouth, lips = regions["eyes"], regions["mouth"], regions["lips"]
    skin = 1 - np.maximum(eyes, mouth)
    mean = np.tile(MIDDLE_SKIN, (len(vertices), 1))
    mean += lips[:, None] * [-0.06, -0.13, -0.10]
    mean += (regions["cheeks"] + 0.6 * regions["nose"])[:, None] * [0.03, -0.015, -0.015]
    mean *= 1 - 0.45 * regions["brows"][:, None]
    mean *= 1 - 0.06 * regions["beard"][:, None]
    iris = np.zeros(len(vertices))
    for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
        distance = np.linalg.norm((vertices - eye)[:, :2], axis=1)
        iris = np.maximum(iris, np.clip((6.4 - distance) / 1.2, 0, 1))
    eye_color = SCLERA + iris[:, None] * (IRIS - SCLERA)
    mean = mean * skin[:, None] + eyes[:, None] * eye_color + mouth[:, None] * MOUTH_INSIDE

    tone = (LIGHT_SKIN - DARK_SKIN) / 4.0
    table: list[tuple[str, np.ndarray, np.ndarray]] = [
        ("skin tone", skin, tone),
        ("skin redness", skin, np.array([0.014, -0.010, -0.010])),
        ("skin yellowness", skin, np.array([0.006, 0.003, -0.014])),
        ("exposure", ones, np.array([0.03, 0.03, 0.03])),
        ("brows", regions["brows"], np.array([0.08, 0.07, 0.06])),
        ("beard", regions["beard"], np.array([0.035, 0.033, 0.03])),
        ("lips darkness", lips, np.array([0.04, 0.035, 0.035])),
        ("lips redness", lips, np.array([0.022, -0.016, -0.013])),
        ("cheeks redness", regions["cheeks"], np.array([0.018, -0.009, -0.009])),
        ("nose redness", regions["nose"], np.array([0.012, -0.008, -0.008])),
        ("iris", iris * eyes, np.array([0.08, 0.10, 0.12])),
        ("sclera", eyes * (1 - iris), np.array([0.04, 0.04, 0.04])),
        ("mouth inside", mouth, np.array([0.09, 0.08, 0.075])),
        ("scalp", regions["scalp"], np.array([0.07, 0.065, 0.06])),
    ]
    for name, centre in (
        ("forehead", landmarks[19:25].mean(0) + np.array([0, 22, 0])),
        ("chin", landmarks[7:10].mean(0) + np.array([0, 8, 6])),
        ("upper lip", landmarks[[33, 51]].mean(0)),
    ):
        mask = np.exp(-(((vertices - centre) / [24, 12, 24]) ** 2).sum(1)) * skin
        table.append((name, mask, np.array([0.016, 0.014, 0.012])))
    around = np.zeros(len(vertices))
    for eye in (landmarks[36:42].mean(0), landmarks[42:48].mean(0)):
        around = np.maximum(
            around, np.exp(-(((vertices - eye - [0, -2, 0])[:, :2] / [17, 10]) ** 2).sum(1))
        )
    table.append(("around the eyes", around * skin, np.array([0.022, 0.020, 0.018])))
    names = [name for name, _, _ in table]
    modes = np.stack([mask[:, None] * color for _, mask, color in table])
    modes = np.tensordot(np.linalg.cholesky(correlation(names)).T, modes, axes=1)
    return np.clip(mean, 0.02, 0.98), modes, names


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
