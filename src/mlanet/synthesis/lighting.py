"""Random light, seen by a camera that exposes and balances its pictures."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import AMBIENT_WHITE, harmonics_basis, shading

DIRECTED = 4.0 * np.pi / 4.25
"""Harmonics of a direction times this light a surface that faces it with 1 (see shading)."""

EXPOSURE = 0.8
"""Brightness of a white ball in the head's place, as the camera sees it."""

EXPOSURE_SD, BALANCE_SD = 0.06, 0.02
"""Standard deviations of the logarithms of exposure and of the channels' balance."""

UNMETERED, UNMETERED_STOPS = 0.4, (-1.2, 0.3)
"""How often a camera exposes for something else than the head, and by how many stops it is off."""

LEAST_AMBIENT, MOST_AMBIENT = 0.15, 0.75
"""Share of the light that comes from everywhere: hard shade to an overcast day."""

LAMP_SD = 0.08
"""Standard deviation of the logarithm of a lamp's colour channels."""

BACKLIT = 0.1
"""How often a lamp may stand behind the head."""


def random_lighting(
    rng: np.random.Generator, unmetered: float = UNMETERED
) -> Float[np.ndarray, "27"]:
    """Ambient light, a key light and up to two weaker ones, as a network's numbers.

    Lamps have weak colours. The camera meters the light, not the head: a white ball in the head's
    place has nearly the same brightness and colour in most pictures, so that dark skin looks dark;
    in the others it is darker or a little brighter, which the known light says, too.

    Args:
        rng: random numbers.
        unmetered: how often the camera exposes for something else than the head.
    """
    ambient = rng.uniform(LEAST_AMBIENT, MOST_AMBIENT)
    strengths = np.append(1.0, rng.uniform(0.1, 0.5, int(rng.integers(0, 3))))
    lighting = np.zeros((9, 3))
    lighting[0] = AMBIENT_WHITE * ambient * _tint(rng, LAMP_SD)
    for strength in strengths / strengths.sum():
        lighting += (1.0 - ambient) * strength * _lamp(rng)[:, None] * _tint(rng, LAMP_SD)
    exposure = EXPOSURE * np.exp(rng.normal() * EXPOSURE_SD) * _tint(rng, BALANCE_SD)
    if rng.random() < unmetered:
        exposure *= 2.0 ** rng.uniform(*UNMETERED_STOPS)
    lighting *= exposure / ball_brightness(lighting)
    lighting[0] -= AMBIENT_WHITE
    return lighting.reshape(-1)


def ball_brightness(lighting: Float[np.ndarray, "9 3"]) -> Float[np.ndarray, "3"]:
    """Mean colour of the picture of a white ball."""
    return shading(_BALL, lighting).mean(axis=0)


def _lamp(rng: np.random.Generator) -> Float[np.ndarray, "9"]:
    direction = rng.normal(size=3) + np.array([0.0, 0.4, 0.6])
    direction[2] = direction[2] if rng.random() < BACKLIT else abs(direction[2])
    return harmonics_basis(direction[None] / np.linalg.norm(direction))[0] * DIRECTED


def _tint(rng: np.random.Generator, deviation: float) -> Float[np.ndarray, "3"]:
    return np.exp(rng.normal(size=3) * deviation)


def _ball(rings: int = 12, around: int = 16) -> Float[np.ndarray, "n 3"]:
    """Normals at places spread evenly over the picture of a ball."""
    radius = np.sqrt((np.arange(rings) + 0.5) / rings)[:, None]
    turn = (np.arange(around) * 2.0 * np.pi / around)[None]
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    return np.stack([x, y, np.sqrt(1.0 - radius**2) + 0.0 * turn], axis=-1).reshape(-1, 3)


_BALL = _ball()
