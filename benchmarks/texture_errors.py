"""How textures differ from the photos they were made of; figures of `avatar.py`.

Colour distances are CIEDE2000 (Sharma, Wu and Dalal, 2005).

- `eye_error`: mean distance between the photo and the textured mesh drawn over it, where the mesh
  shows its eyeballs; mean of the photos.
- `photo_error`: the same over the face region of the mesh where the photo shows skin, as
  `visible_skin` judges from the photo and its annotated landmarks alone.
- `region_error`: the same over all of the face region's skin, hair and hands before it included.
- `seam_step`: step across the border of the completed part of the skin, but for eyes, lips and
  mouth, whose insides are of another colour: distance between the
  mean colours of its two sides, within `SIDE_SHARE` of the texture's size of each point of the
  border; mean over the border.
- `seam_error`: what of that step is more than skin varies anyway: less the larger one of two
  distances at the same point, that of the photo's own colours between the border and as far
  inside again, and that of the face model's albedo between the two sides.
- `foreign_texels`: percentage of texels with the colour of another person's head in front, which
  lacks red; of composed pairs of photos.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from visible_skin import visible_skin

from mlanet import Reconstruction, Reconstructor
from mlanet.datasets import AFLW2000, Sample
from mlanet.render import UvAtlas, render_mesh, vertex_attributes_to_uv

Image = UInt8[np.ndarray, "h w 3"]

SIDE_SHARE = 0.02
SEEN, COMPLETED = 0.8, 0.2
"""Visibilities that count as the two sides of the border."""

TINTED = 40
"""Blue less red of a texel of the other person, as in the person's picture."""

NEARER = 1.7
"""Size of the head in front over that of the head behind."""


def photos_of(data: Path, count: int) -> Iterator[Sample]:
    """Photos with landmarks, evenly spread over those of AFLW2000-3D in a folder."""
    samples = AFLW2000(data / "aflw2000_dev")
    for index in np.linspace(0, len(samples) - 1, count).astype(int):
        yield samples[int(index)]


def central_face(reconstructor: Reconstructor, photo: Image) -> Reconstruction | None:
    """The face nearest to the middle, which is the annotated one; None if there is none."""
    middle = np.array(photo.shape[1::-1]) / 2.0
    faces = reconstructor(photo)
    return min(faces, key=lambda f: np.hypot(*(f.landmarks_px[30, :2] - middle)), default=None)


def photo_errors(
    face: Reconstruction, landmarks: Float[np.ndarray, "68 2"]
) -> tuple[float, float, float]:
    """(inside the eyes, on the face's visible skin, on its region), NaN where there is none.

    `landmarks` are the annotated ones, pixels of the photo.
    """
    model, photo = face.model, face.image
    mesh = replace(face.mesh, vertices=face.vertices + face.hair)
    drawn = render_mesh(mesh, face.pose, face.camera, photo.shape[:2], texture=face.texture.image)
    apart = ciede2000(lab(photo / np.float32(255.0)), lab(drawn.image))
    eyes = _shown(face, _vertices_of(model, "eye_left", "eye_right"))
    skin = _shown(face, _vertices_of(model, "skin") * model.region("face"))
    judged = skin & visible_skin(photo, landmarks)
    return _mean_over(apart, eyes), _mean_over(apart, judged), _mean_over(apart, skin)


def seam_errors(face: Reconstruction) -> tuple[float, float]:
    """(seam_error, seam_step) of the skin; NaN without a border."""
    texture = face.texture
    size = len(texture.image)
    mesh, model = face.mesh, face.model
    assert mesh.colors is not None
    atlas = UvAtlas.of_mesh(mesh, size)
    outside = _vertices_of(model, "skin") * (1.0 - model.region("eyes", "lips", "mouth"))
    columns = np.column_stack([outside, mesh.colors])
    planes = vertex_attributes_to_uv(atlas, mesh.faces, columns)
    inside = (planes[..., 0] > 0.99) & atlas.fragments.mask
    colors, albedo = lab(texture.image / np.float32(255.0)), lab(planes[..., 1:])
    reach = SIDE_SHARE * size / 2.0
    seen, completed = texture.visibility > SEEN, texture.visibility < COMPLETED
    away = cv2.distanceTransform(seen.astype(np.uint8), cv2.DIST_L2, 5)
    photo, near = _around(colors, seen & inside, reach)
    rest, beyond = _around(colors, completed & inside, reach)
    deeper, known = _around(colors, (away > 2.0 * reach) & inside, 2.0 * reach)
    here, there = (_around(albedo, side & inside, reach)[0] for side in (seen, completed))
    border = inside & (near > 0.1) & (beyond > 0.1)
    step = ciede2000(photo, rest)
    own = np.where(known > 0.01, ciede2000(photo, deeper), 0.0)
    excess = np.maximum(step - np.maximum(own, ciede2000(here, there)), 0.0)
    return _mean_over(excess, border), _mean_over(step, border)


def _around(
    colors: Float[np.ndarray, "s s 3"], chosen: Bool[np.ndarray, "s s"], reach: float
) -> tuple[Float[np.ndarray, "s s 3"], Float[np.ndarray, "s s"]]:
    """Mean of chosen texels around each one, and their share there."""
    weight = chosen.astype(np.float32)
    share = cv2.GaussianBlur(weight, (0, 0), reach)
    total = cv2.GaussianBlur(colors * weight[..., None], (0, 0), reach)
    return total / np.maximum(share, 1e-6)[..., None], share


def foreign_percent(reconstructor: Reconstructor, scene: Image) -> float:
    """Percentage of tinted texels in the texture of the leftmost face; NaN if fewer than two."""
    faces = sorted(reconstructor(scene), key=lambda face: face.landmarks_px[30, 0])
    if len(faces) < 2:
        return float("nan")
    colors = faces[0].texture.image.astype(int)
    return 100.0 * float((colors[..., 2] - colors[..., 0] > TINTED).mean())


def pairs(reconstructor: Reconstructor, photos: Sequence[Image]) -> Iterator[Image]:
    """Each photo with the head of the next one, larger and without red, before it at the right."""
    faces = [central_face(reconstructor, photo) for photo in photos]
    found = [face for face in faces if face is not None]
    for behind, front in zip(found, [*found[1:], *found[:1]], strict=True):
        yield composed(behind, front)


def composed(behind: Reconstruction, front: Reconstruction) -> Image:
    """The photo of the first, and an ellipse around the second's head over its right cheek."""
    cheek = behind.landmarks_px[16, :2]
    middle, radius = front.landmarks_px[27, :2], head_radius(front)
    scale = NEARER * head_radius(behind) / radius
    at = cheek + np.array([NEARER * head_radius(behind) * 0.7, 0.0])
    to_scene = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    margin = int(4 * NEARER * head_radius(behind))
    to_scene[:, 2] = at - scale * middle
    height, width = behind.image.shape[:2]
    size = (width + margin, height)
    scene = np.full((height, size[0], 3), 110, np.uint8)
    scene[:, :width] = behind.image
    tinted = front.image.copy()
    tinted[..., 0] = 0
    tinted[..., 2] = np.maximum(tinted[..., 2], 60)
    layer = cv2.warpAffine(tinted, to_scene, size, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = np.indices((height, size[0]))
    across, up = (columns - at[0]) / scale / radius, (rows - at[1]) / scale / radius
    head = (across / 1.1) ** 2 + (up / 1.5) ** 2 < 1.0
    scene[head] = layer[head]
    return scene


def head_radius(face: Reconstruction) -> float:
    """Half the distance from ear to ear or from brow to chin, the larger one, pixels."""
    points = face.landmarks_px[:, :2]
    return float(np.ptp(points, axis=0).max()) / 2.0


def lab(colors: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """CIELAB (D65) of sRGB in [0, 1]."""
    return cv2.cvtColor(np.ascontiguousarray(colors, dtype=np.float32), cv2.COLOR_RGB2LAB)


def ciede2000(
    first: Float[np.ndarray, "*n 3"], second: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n"]:
    """Colour differences of CIELAB colours."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2.0
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360.0, np.degrees(np.arctan2(b2, a2)) % 360.0
    turn = (h2 - h1 + 180.0) % 360.0 - 180.0
    lightness, chroma = (l1 + l2) / 2.0, (c1 + c2) / 2.0
    hue = (h1 + turn / 2.0) % 360.0
    d_hue = 2.0 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2.0)
    t = (
        1.0
        - 0.17 * np.cos(np.radians(hue - 30.0))
        + 0.24 * np.cos(np.radians(2.0 * hue))
        + 0.32 * np.cos(np.radians(3.0 * hue + 6.0))
        - 0.20 * np.cos(np.radians(4.0 * hue - 63.0))
    )
    off = (lightness - 50.0) ** 2
    d_l = (l2 - l1) / (1.0 + 0.015 * off / np.sqrt(20.0 + off))
    d_c = (c2 - c1) / (1.0 + 0.045 * chroma)
    d_h = d_hue / (1.0 + 0.015 * chroma * t)
    turning = np.sin(np.radians(60.0 * np.exp(-(((hue - 275.0) / 25.0) ** 2))))
    blue = -2.0 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * turning
    return np.sqrt(np.maximum(d_l**2 + d_c**2 + d_h**2 + blue * d_c * d_h, 0.0))


def _vertices_of(model, *parts: str) -> Float[np.ndarray, "v"]:  # noqa: ANN001
    chosen = np.zeros(model.topology.num_vertices)
    chosen[model.topology.faces[model.faces_of(*parts)]] = 1.0
    return chosen


def _shown(face: Reconstruction, chosen: Float[np.ndarray, "v"]) -> np.ndarray:
    from mlanet.render import interpolate, rasterize

    fragments = rasterize(
        face.head.with_hair(face.hair).projected,
        face.mesh.faces,
        face.image.shape[:2],
        cull_backfaces=True,
    )
    return interpolate(fragments, face.mesh.faces, chosen[:, None])[..., 0] > 0.99


def _mean_over(values: np.ndarray, mask: np.ndarray) -> float:
    return float(values[mask].mean()) if mask.any() else float("nan")
