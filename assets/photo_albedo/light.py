"""Albedo from observed colours: without the light, its colour, and what hides the skin."""

from dataclasses import dataclass

import numpy as np
from face_model.unfold import neighbour_mean

from mlanet.morphable import MorphableModel
from photo_albedo.observe import Observations

LIGHT_ROUNDS = 3
LIGHT_RIDGE = 0.05
ROBUST_ROUNDS = 4
LIGHT_TOLERANCE = 0.05
"""Colours that the light leaves unexplained by more count less for it."""

SHARED_RIDGE = 0.002
LEAST_PHOTOS = 8
"""Vertices that fewer photos show do not tell of the light that photos share."""

LEAST_SHADING = 0.35
"""Where the light leaves less, the photo says nothing of the albedo."""

MOST_DIFFERENT = 0.2
"""Skin whose logarithm of colour, relative to the photo's and to the mean face, is off by more is
taken for hair, spectacles or a highlight, except where beard and brows grow."""

RIM_RINGS, RIM_DARKNESS = 6, -0.08
"""So many rings of vertices inside the face's border skin is expected to be at least as bright
(logarithm, relative to the face's)."""

BRIGHTNESS_SHARE, HUE_SHARE = 0.85, 0.35
"""How much of the variation of a photo's skin colour is taken for skin, along the line of skin
tones and off it, where cameras and lights differ; the rest is theirs."""

LIGHTER = 0.6
"""Quantile of the studio's tones that the others' median has: more of the House are white."""

STUDIO_SHARE = 0.5
"""How far neutral light lies from the studio's to the mean of the others'."""


@dataclass(frozen=True)
class Samples:
    """Albedos (n, v, 3) and how far to trust them (n, v)."""

    colors: np.ndarray
    weight: np.ndarray

    def only(self, rows: np.ndarray) -> "Samples":
        """Some of them."""
        return Samples(self.colors[rows], self.weight[rows])


def skin_mask(model: MorphableModel) -> np.ndarray:
    """(v,) the face's skin without eyes, mouth, lips and brows."""
    features = np.maximum.reduce([model.regions[k] for k in ("eyes", "mouth", "lips", "brows")])
    return model.regions["face"] * (1.0 - features)


def without_light(model: MorphableModel, seen: Observations) -> Samples:
    """Colours divided by grey shading.

    Light and albedo are told apart by two assumptions: the light of a photo has one colour,
    and it leaves the brightness of the cheeks as it is. What photos have in common at a vertex,
    whatever their light, is the mean albedo, estimated in turns; what a light could explain of
    it is taken for light that the photos share.
    """
    skin = skin_mask(model)
    shared = skin * (seen.weight.sum(axis=0) > LEAST_PHOTOS)
    total = np.maximum(seen.weight.sum(axis=0), 1e-6)[:, None]
    common = (seen.harmonics * seen.weight[..., None]).sum(axis=0) / total
    grey = seen.colors.mean(axis=-1)
    reference = np.ones(grey.shape[1])
    shading = np.ones_like(grey)
    for _ in range(LIGHT_ROUNDS):
        shading = np.stack(
            [
                fitted_shading(
                    grey[k], reference, seen.harmonics[k], seen.weight[k] * skin, LIGHT_RIDGE
                )
                for k in range(len(grey))
            ]
        )
        trust = seen.weight * (shading > LEAST_SHADING)
        divided = grey / np.maximum(shading, LEAST_SHADING)
        level = (divided * trust * skin).sum(1) / np.maximum((trust * skin).sum(1), 1e-6)
        relative = divided / np.maximum(level, 0.02)[:, None]
        reference = robust_mean(relative[..., None], trust)[:, 0]
        reference = (reference + reference[model.mirror]) / 2
        level = (reference * shared).sum() / shared.sum()
        reference /= fitted_shading(
            reference, np.full_like(reference, level), common, shared, SHARED_RIDGE
        )
    cheeks = seen.weight * model.regions["cheeks"]
    level = (cheeks * shading).sum(axis=1) / np.maximum(cheeks.sum(axis=1), 1e-6)
    shading /= np.maximum(level, 1e-3)[:, None]
    trust = seen.weight * (shading > LEAST_SHADING)
    colors = seen.colors / np.maximum(shading, LEAST_SHADING)[..., None]
    return Samples(np.clip(colors, 0, 1.2), trust)


def fitted_shading(
    grey: np.ndarray,
    reference: np.ndarray,
    harmonics: np.ndarray,
    trust: np.ndarray,
    ridge: float,
) -> np.ndarray:
    """Shading (v,) with a mean of 1 by which a reference becomes nearest to a photo's greys."""
    total = np.maximum(trust.sum(), 1e-6)
    own = (trust * grey).sum() / np.maximum((trust * reference).sum(), 1e-6) * reference
    rows, target, used = harmonics * own[:, None], grey - own, trust
    light = np.zeros(harmonics.shape[1])
    for _ in range(ROBUST_ROUNDS):
        normal = rows.T @ (rows * used[:, None])
        damped = normal + ridge * normal[0, 0] * np.eye(len(normal))
        light = np.linalg.solve(damped, rows.T @ (used * target))
        left = np.abs(target - rows @ light)
        used = trust * np.minimum(1.0, LIGHT_TOLERANCE / np.maximum(left, 1e-6))
    shade = 1.0 + harmonics @ light
    return shade / np.maximum((trust * shade).sum() / total, 1e-3)


def robust_mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(v, c) mean of values (n, v, c); what lies far from it counts less."""
    used = weight
    mean = np.ones(values.shape[1:])
    for _ in range(3):
        total = used.sum(axis=0)
        seen = (values * used[..., None]).sum(axis=0) / np.maximum(total, 1e-3)[:, None]
        mean = np.where(total[:, None] > 3, seen, 1.0)
        left = np.sqrt(((values - mean) ** 2).mean(axis=-1))
        used = weight * np.minimum(1.0, 0.1 / np.maximum(left, 1e-6))
    return mean


def skin_colors(model: MorphableModel, samples: Samples) -> np.ndarray:
    """(n, 3) the mean colour of each one's skin, beard left out."""
    skin = samples.weight * skin_mask(model) * (1.0 - model.regions["beard"])
    total = np.maximum(skin.sum(axis=1, keepdims=True), 1e-6)
    return (samples.colors * skin[..., None]).sum(axis=1) / total


def without_hair(model: MorphableModel, samples: Samples) -> Samples:
    """Less trust in colours that are no skin's of the same face.

    Near the face's border, where most photos show hair, skin is expected to be as elsewhere.
    """
    places = skin_mask(model) * (1.0 - model.regions["beard"])
    own = np.log(np.maximum(skin_colors(model, samples), 0.02))[:, None]
    relative = np.log(np.maximum(samples.colors, 0.02)) - own
    least = np.where(near_border(model), RIM_DARKNESS, -np.inf)[:, None]
    trust = samples.weight
    for _ in range(3):
        total = np.maximum(trust.sum(axis=0), 1e-3)
        mean = np.maximum((relative * trust[..., None]).sum(axis=0) / total[:, None], least)
        off = np.sqrt(((relative - mean) ** 2).mean(axis=-1))
        kept = np.clip(2.0 - off / MOST_DIFFERENT, 0.0, 1.0)
        trust = samples.weight * (1.0 - places + places * kept)
    return Samples(samples.colors, trust)


def near_border(model: MorphableModel) -> np.ndarray:
    """(v,) bool: within some rings of ears, neck and scalp."""
    neighbours = neighbour_mean(model.base_faces, model.num_base_vertices)
    features = np.maximum.reduce([model.regions[k] for k in ("eyes", "mouth", "face")])
    beyond = (model.vertex_parts == model.part_names.index("skin")) & (features < 0.5)
    for _ in range(RIM_RINGS):
        beyond = beyond | (neighbours @ beyond.astype(float) > 0)
    return beyond


def without_cast(
    model: MorphableModel, samples: Samples, studio: Samples
) -> tuple[Samples, Samples]:
    """Samples of many cameras and lights moved to the skin tones of one studio's, and those.

    The studio's light may be cooler or warmer than the others' on average; the mean of both is
    taken for neutral.
    """
    line, own = skin_colors(model, studio), skin_colors(model, samples)
    line, own = (np.log(np.maximum(colors, 0.02)) for colors in (line, own))
    tone, own_tone = line.mean(axis=1), own.mean(axis=1)
    slope = np.stack([np.polyfit(tone, channel, 1) for channel in line.T], axis=1)
    hue = own - own_tone[:, None]
    kept_tone = np.quantile(tone, LIGHTER) + BRIGHTNESS_SHARE * (own_tone - np.median(own_tone))
    on_line = kept_tone[:, None] * slope[0] + slope[1]
    expected = own_tone[:, None] * slope[0] + slope[1] - own_tone[:, None]
    off_line = hue - expected
    warmer = np.median(off_line, axis=0)
    gain = on_line + HUE_SHARE * (off_line - warmer) - own
    return (
        Samples(tinted(samples.colors, gain + STUDIO_SHARE * warmer), samples.weight),
        Samples(tinted(studio.colors, STUDIO_SHARE * warmer[None]), studio.weight),
    )


def tinted(colors: np.ndarray, logarithm: np.ndarray) -> np.ndarray:
    """Colours (n, v, 3) times the exponential of (n or 1, 3)."""
    return np.clip(colors * np.exp(logarithm)[:, None], 0, 1.2)


def symmetric(model: MorphableModel, samples: Samples) -> Samples:
    """Each face averaged with its mirror image as far as both sides are seen."""
    other = samples.weight[:, model.mirror]
    total = samples.weight + other
    share = (samples.weight / np.maximum(total, 1e-6))[..., None]
    both = share * samples.colors + (1 - share) * samples.colors[:, model.mirror]
    return Samples(both.astype(np.float32), np.minimum(total, 1.0))
