"""Relief finer than the mesh, such as wrinkles, from the photo's shading.

Light from a side makes one flank of a groove brighter and the other one darker. What a photo's
brightness has beyond the lit model's is taken for slopes along the light's direction, which the
gradients of one height explain best (Frankot and Chellappa, 1988). A painted line is dark as a
whole: around lines whose brightness does not balance, and where the hue changes with it, nothing
is believed. Nor is what is far from skin's brightness, such as hair and glasses.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import RenderError
from mlanet.geometry import shading
from mlanet.geometry.harmonics import POLYNOMIAL_LIGHT
from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.heads import PosedHead
from mlanet.texturing.guide import TEMPLE_MM
from mlanet.texturing.light_fit import fit_lighting
from mlanet.texturing.of_head import TEXTURE_SIZES, texture_atlas
from mlanet.texturing.projection import Texture, unit

Plane = Float[np.ndarray, "h w"]

FEATURES = ("eyes", "lips", "brows", "mouth")
"""Regions whose lines are no relief of skin."""

FEATURE_MARGIN = 6.0
"""What their shares count at vertices: their borders belong to them."""

FINEST_MM, COARSEST_MM = 0.5, 5.0
"""Standard deviations of the blurs between which detail lies; the mesh holds what is coarser."""

LINE_MM = 1.8
"""The same of the neighbourhood in which brightness must balance."""

UNBALANCED = (0.25, 0.5)
"""Energy that such a blur leaves, over all, between which a line becomes painted."""

FLANK_MM = 1.0
"""What is next to such a line is its flank."""

COHERENT = (0.3, 0.6)
"""Coherence of the brightness' gradients, 0 to 1, between which it becomes a line."""

HUE_SHARE = 0.5
"""Change of hue over that of brightness from which a line counts half."""

FOREIGN, FOREIGN_MM = 0.3, 3.0
"""Change of the brightness' logarithm that is no skin, and how far it reaches."""

DARKEST = 0.05
"""Least shading and albedo."""

LEAST_TEXEL = 4
"""Of 255: darker texels count as this dark, since logarithms are taken."""

DIMMEST = 0.2
"""Least shading by which its change with the slope is divided."""

DAMPING = 0.2
"""Change of brightness with slope up to which light tells little of it."""

WIDEST_MM = 25.0
"""Longest waves of the height."""

GAIN = 3.0
"""What slopes are multiplied by: most of them lie across the light, or are not believed."""

STEEPEST = 0.5
"""Slope at most."""

MOST_DETAIL = TEXTURE_SIZES[-1]
"""Texels across of a texture from which normals are made, at most."""

DETAIL_SIZE = 512
"""Texels of a normal map across, at most: wrinkles are 1 to 3 mm wide, texels 0.5 to 0.9."""

FLAT = (128, 128, 255)
"""A normal map's colour where there is no detail."""

RESOLVED_MM = (1.1, 0.5)
"""Size of the photo's pixels between which wrinkles, 1 to 3 mm wide, are shown."""


def detail_normals(
    texture: Texture, head: PosedHead, albedo: Float[np.ndarray, "v 3"]
) -> UInt8[np.ndarray, "k k 3"]:
    """Normals of the detail in tangent space, as glTF has them.

    The map is as wide as the texture, but at most `DETAIL_SIZE` texels; x points along u, y along
    v, z out of the surface. `FLAT` are hidden parts, all but the face's skin, and everything where
    the photo does not resolve wrinkles.

    Args:
        texture: of the head in its photo, 64 to 1024 texels wide.
        head: where the photo shows it.
        albedo: sRGB of the head's vertices, in [0, 1].

    Raises:
        RenderError: the texture is larger.
    """
    import cv2

    size = len(texture.image)
    if size > MOST_DETAIL:
        raise RenderError(f"detail needs a texture of at most {MOST_DETAIL} texels, got {size}")
    slopes = np.zeros((size, size, 2), np.float32)
    coarse, fine = RESOLVED_MM
    resolved = float(np.clip((coarse - head.mm_per_px) / (coarse - fine), 0.0, 1.0))
    skin = _seen_skin(texture, head, albedo) if resolved else None
    if skin is not None:
        found = GAIN * resolved * height_slopes(skin) * skin.trust[..., None]
        slopes[skin.box] = np.clip(found, -STEEPEST, STEEPEST)
    if size > DETAIL_SIZE:
        slopes = cv2.resize(slopes, (DETAIL_SIZE, DETAIL_SIZE), interpolation=cv2.INTER_AREA)
    normals = unit(np.concatenate([-slopes, np.ones_like(slopes[..., :1])], axis=-1))
    return np.rint(127.5 * normals + 127.5).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class SeenSkin:
    """Skin in a rectangle of the texture.

    Attributes:
        box: the rectangle.
        excess: logarithms of the photo's RGB over the lit albedo's.
        trust: 0 to 1.
        tilt: relative change of brightness with the normal's slope along u and v.
        texel_mm: distance of neighbouring texels along u and v.
    """

    box: tuple[slice, slice]
    excess: Float[np.ndarray, "h w 3"]
    trust: Plane
    tilt: Float[np.ndarray, "h w 2"]
    texel_mm: tuple[float, float]

    def blurred(self, values: Float[np.ndarray, "h w *c"], deviation_mm: float) -> np.ndarray:
        """Values under a Gaussian that is round on the surface."""
        import cv2

        across, down = (deviation_mm / each for each in self.texel_mm)
        border = cv2.BORDER_REPLICATE
        return np.asarray(cv2.GaussianBlur(values, (0, 0), across, sigmaY=down, borderType=border))

    def disc(self, radius_mm: float) -> UInt8[np.ndarray, "k l"]:
        """Texels within a radius."""
        import cv2

        across, down = (2 * round(radius_mm / each) + 1 for each in self.texel_mm)
        return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, down)))


def height_slopes(skin: SeenSkin) -> Float[np.ndarray, "h w 2"]:
    """Slopes of the height along u and v (v upwards) that explain the skin's shading."""
    import cv2

    trust = skin.trust[..., None]
    around = skin.blurred(skin.excess * trust, COARSEST_MM)
    around /= np.maximum(skin.blurred(skin.trust, COARSEST_MM), 1e-3)[..., None]
    change = skin.blurred((skin.excess - around) * trust, FINEST_MM)
    brightness = change.mean(axis=-1)
    believed = brightness * _believed(skin, change, brightness)
    sensitive = np.square(skin.tilt).sum(axis=-1) + DAMPING**2
    wanted = (believed / sensitive)[..., None] * skin.tilt
    height, width = brightness.shape
    size = cv2.getOptimalDFTSize(height + 8), cv2.getOptimalDFTSize(width + 8)
    u = 2.0j * np.pi * np.fft.rfftfreq(size[1], skin.texel_mm[0])[None]
    v = -2.0j * np.pi * np.fft.fftfreq(size[0], skin.texel_mm[1])[:, None]
    along_u, along_v = (np.fft.rfft2(wanted[..., k], size) for k in range(2))
    waves = np.abs(u) ** 2 + np.abs(v) ** 2 + (2.0 * np.pi / WIDEST_MM) ** 2
    surface = (np.conj(u) * along_u + np.conj(v) * along_v) / waves
    slopes = np.stack([np.asarray(np.fft.irfft2(each * surface, size)) for each in (u, v)], axis=-1)
    return slopes[:height, :width]


def _believed(skin: SeenSkin, change: Float[np.ndarray, "h w 3"], brightness: Plane) -> Plane:
    """Share of the change, 0 to 1, that is a balanced line of skin."""
    import cv2

    energy = skin.blurred(np.square(brightness), LINE_MM) + 1e-7
    balance = np.square(skin.blurred(brightness, LINE_MM)) / energy
    hue = skin.blurred(change - brightness[..., None], LINE_MM / 2)
    hue = skin.blurred(np.square(hue).sum(axis=-1), LINE_MM) / energy
    foreign = (np.abs(brightness) > FOREIGN).astype(np.float32)
    painted = cv2.dilate(1.0 - _falling(balance, UNBALANCED), skin.disc(FLANK_MM))
    foreign = skin.blurred(cv2.dilate(foreign, skin.disc(FOREIGN_MM)), 1.0)
    shares = (1.0 - painted) * (1.0 - foreign) / (1.0 + hue / HUE_SHARE**2)
    shares *= 1.0 - _falling(_coherence(skin, brightness), COHERENT)
    return skin.blurred(shares.astype(np.float32), FINEST_MM) * skin.trust


def _coherence(skin: SeenSkin, brightness: Plane) -> Plane:
    """1 along lines, 0 where the gradients have no common direction."""
    down, across = (
        step / mm for step, mm in zip(np.gradient(brightness), skin.texel_mm[::-1], strict=True)
    )
    products = np.stack([across * across, across * down, down * down], axis=-1)
    xx, xy, yy = np.moveaxis(skin.blurred(products, LINE_MM), -1, 0)
    return np.sqrt(np.square(xx - yy) + 4.0 * np.square(xy)) / (xx + yy + 1e-9)


def _falling(values: Plane, limits: tuple[float, float]) -> Plane:
    """1 up to the first limit, 0 from the second one on."""
    start, end = limits
    return np.clip((end - values) / (end - start), 0.0, 1.0)


def _seen_skin(
    texture: Texture, head: PosedHead, albedo: Float[np.ndarray, "v 3"]
) -> SeenSkin | None:
    import cv2

    model = head.model
    atlas, faces = texture_atlas(model, len(texture.image)), model.topology.faces
    box, region = _skin_region(model, atlas)
    columns = np.column_stack([head.points * [1.0, -1.0, -1.0], head.normals, albedo])
    planes = vertex_attributes_to_uv(atlas, faces, columns)[box]
    trust = cv2.erode((region * texture.visibility[box]).astype(np.float32), np.ones((3, 3)))
    if trust.max() < 0.5:
        return None
    normals = unit(planes[..., 3:6])
    photo = np.maximum(texture.image[box], LEAST_TEXEL).astype(np.float32) / 255.0
    colors = np.maximum(planes[..., 6:], DARKEST)
    light = _fitted_light(colors, photo, normals, trust)
    shade = shading(normals, light)
    lit = np.maximum(shade, DARKEST) * colors
    tangents, texel_mm = _tangents(planes[..., :3], normals, trust)
    # the light's linear part: along x, y and z
    towards = (light.mean(axis=-1) * np.array(POLYNOMIAL_LIGHT))[[3, 1, 2]]
    brightness = np.maximum(shade.mean(axis=-1), DIMMEST)
    # a slope up along u turns the normal away from u
    tilt = -np.stack([tangent @ towards for tangent in tangents], axis=-1) / brightness[..., None]
    excess = np.log(photo) - np.log(lit)
    return SeenSkin(box, excess.astype(np.float32), trust, tilt.astype(np.float32), texel_mm)


def _skin_region(
    model: MorphableModel, atlas: UvAtlas
) -> tuple[tuple[slice, slice], Float[np.ndarray, "h w"]]:
    """A rectangle of texels, and the share of the face's skin there."""
    features = [name for name in FEATURES if name in model.regions]
    apart = model.region(*features) if features else np.zeros(model.topology.num_vertices)
    face = model.region("face") if "face" in model.regions else np.ones_like(apart)
    front = model.subdivide(model.shape.mean)[:, 2]  # at the temples there is hair
    share = face * (1.0 - np.clip(FEATURE_MARGIN * apart, 0.0, 1.0))
    share *= np.clip((front - TEMPLE_MM[1]) / (TEMPLE_MM[0] - TEMPLE_MM[1]), 0.0, 1.0)
    plane = vertex_attributes_to_uv(atlas, model.topology.faces, share[:, None])[..., 0]
    plane *= atlas.fragments.mask
    rows, columns = np.nonzero(plane.any(axis=1))[0], np.nonzero(plane.any(axis=0))[0]
    if not len(rows):
        return (slice(0, 1), slice(0, 1)), np.zeros((1, 1), np.float32)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return box, plane[box]


def _fitted_light(
    albedo: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    normals: Float[np.ndarray, "h w 3"],
    trust: Plane,
) -> Float[np.ndarray, "9 3"]:
    """From every second texel, averaged."""
    import cv2

    size = tuple(max(side // 2, 1) for side in trust.shape[::-1])
    planes = albedo, photo, normals.astype(np.float32), trust
    return fit_lighting(*(cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in planes))


def _tangents(
    points: Float[np.ndarray, "h w 3"], normals: Float[np.ndarray, "h w 3"], trust: Plane
) -> tuple[list[Float[np.ndarray, "h w 3"]], tuple[float, float]]:
    """Unit tangents along u and v, and the usual distance of texels along both."""
    across, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    along = unit(across - np.einsum("hwk,hwk->hw", across, normals)[..., None] * normals)
    lengths = [np.linalg.norm(step, axis=-1)[trust > 0.5] for step in (across, down)]
    sizes = float(np.median(lengths[0])), float(np.median(lengths[1]))
    return [along, np.cross(normals, along)], sizes
