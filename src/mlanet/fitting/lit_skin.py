"""Colours of skin under harmonics, beside the photo's, and what changes their difference."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import AMBIENT_WHITE, harmonics_basis
from mlanet.geometry.harmonics import COSINE_LOBE, POLYNOMIAL_LIGHT

VIEWER = np.array([1.0, -1.0, -1.0])
"""Camera axes (y down, z forward) to the viewer's (y up, z towards the viewer)."""

FACING_FROM, FACING_FULL = 0.15, 0.5
"""Cosines to the line of sight between which a vertex counts more and more."""

EXPECTED_AMBIENT = 0.8 * AMBIENT_WHITE
"""Radiance that the light has where skin does not tell it."""

ROUNDS = 4
"""In which light and albedo are solved for in turn before the shape moves."""


class PhotoSamples(NamedTuple):
    """Colours at places of a picture, and their slopes."""

    color: Float[np.ndarray, "n 3"]
    slope: Float[np.ndarray, "n 3 2"]


class BlurredPhoto:
    """A crop of which colours and slopes are read between pixels."""

    def __init__(self, image: UInt8[np.ndarray, "s s 3"], blur_px: float) -> None:
        import cv2

        smooth = np.asarray(cv2.GaussianBlur(image.astype(np.float32) / 255.0, (0, 0), blur_px))
        slopes = [cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))]
        self._maps = np.concatenate([smooth, *slopes], axis=-1)

    def at(self, places_px: Float[np.ndarray, "n 2"]) -> PhotoSamples:
        """Colours in [0, 1] and slopes per pixel along x and y, linearly between pixels."""
        import cv2

        x, y = (places_px - 0.5).astype(np.float32).T.copy()
        found = cv2.remap(self._maps, x[None], y[None], cv2.INTER_LINEAR)[0].astype(np.float64)
        return PhotoSamples(found[:, :3], np.stack([found[:, 3:6], found[:, 6:]], axis=-1))


@dataclass(frozen=True, slots=True)
class Appearance:
    """Coefficients of the albedo and radiance of the light."""

    albedo: Float[np.ndarray, "a"]
    light: Float[np.ndarray, "9 3"]


@dataclass(frozen=True, slots=True, eq=False)
class LitSkin:
    """Vertices of skin beside the photo: `n` places, colours over `a` modes of albedo.

    Attributes:
        photo: what it shows there.
        mean: albedo of the mean face.
        basis: modes of the albedo.
        normals: unit, camera frame.
        weight: how much a vertex counts.
        outlier: colour distance beyond which it counts less.
    """

    photo: PhotoSamples
    mean: Float[np.ndarray, "n 3"]
    basis: Float[np.ndarray, "n 3 a"]
    normals: Float[np.ndarray, "n 3"]
    weight: Float[np.ndarray, "n"]
    outlier: float

    @property
    def harmonics(self) -> Float[np.ndarray, "n 9"]:
        """What each radiance coefficient contributes to the shading."""
        return harmonics_basis(self.normals * VIEWER) * np.array(COSINE_LOBE)

    def albedo(self, appearance: Appearance) -> Float[np.ndarray, "n 3"]:
        """Albedo of each vertex."""
        return self.mean + self.basis @ appearance.albedo

    def residual(self, appearance: Appearance) -> Float[np.ndarray, "n 3"]:
        """The photo's colours less those of the lit skin."""
        return self.photo.color - self.albedo(appearance) * (self.harmonics @ appearance.light)

    def trust(self, residual: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Weights by Geman and McClure: hair, glasses and hands count little."""
        return self.weight / (1.0 + np.square(residual / self.outlier).sum(axis=1)) ** 2

    def explained(
        self, start: Float[np.ndarray, "a"], noise: float, albedo_sd: float, light_sd: float
    ) -> Appearance:
        """Light and albedo that explain the photo where the shape is as it is.

        Each is a linear problem while the other is held; both have Gaussian priors.

        Args:
            start: expected coefficients of the albedo.
            noise: standard deviation of a vertex's colour.
            albedo_sd: of albedo coefficients about `start`.
            light_sd: of radiance about white light from everywhere.
        """
        expected = np.zeros((9, 3))
        expected[0] = EXPECTED_AMBIENT
        found = Appearance(start, expected)
        harmonics = self.harmonics
        for _ in range(ROUNDS):
            trust = self.trust(self.residual(found)) / noise**2
            albedo = self.albedo(found)
            light = np.empty((9, 3))
            for channel in range(3):
                rows = harmonics * albedo[:, channel, None]
                normal = rows.T @ (rows * trust[:, None]) + np.eye(9) / light_sd**2
                target = rows.T @ (trust * self.photo.color[:, channel])
                light[:, channel] = np.linalg.solve(
                    normal, target + expected[:, channel] / light_sd**2
                )
            shading = harmonics @ light
            rows = (self.basis * shading[:, :, None]).reshape(-1, len(start))
            each = np.repeat(trust, 3)
            normal = rows.T @ (rows * each[:, None]) + np.eye(len(start)) / albedo_sd**2
            target = rows.T @ (each * (self.photo.color - self.mean * shading).reshape(-1))
            found = Appearance(np.linalg.solve(normal, target + start / albedo_sd**2), light)
        return found

    def by_normal(self, appearance: Appearance) -> Float[np.ndarray, "n 3 3"]:
        """Derivative of the lit colours (second axis) by the normal (camera frame, third)."""
        x, y, z = (self.normals * VIEWER).T
        one, none = np.ones_like(x), np.zeros_like(x)
        slopes = np.array(  # of the polynomials of `harmonics_basis`, along x, y and z
            [
                [none, none, none],
                [none, one, none],
                [none, none, one],
                [one, none, none],
                [y, x, none],
                [none, z, y],
                [none, none, 6.0 * z],
                [z, none, x],
                [2.0 * x, -2.0 * y, none],
            ]
        )
        radiance = appearance.light * np.array(POLYNOMIAL_LIGHT)[:, None]
        by_viewer = np.einsum("hdn,hc->ncd", slopes, radiance)
        return self.albedo(appearance)[:, :, None] * by_viewer * VIEWER

    def by_appearance(self, appearance: Appearance) -> Float[np.ndarray, "n 3 b"]:
        """Derivative of the lit colours by the albedo's coefficients, then by the light's 27."""
        harmonics, albedo = self.harmonics, self.albedo(appearance)
        by_light = np.zeros((len(albedo), 3, 9, 3))
        for channel in range(3):
            by_light[:, channel, :, channel] = albedo[:, channel, None] * harmonics
        by_albedo = self.basis * (harmonics @ appearance.light)[:, :, None]
        return np.concatenate([by_albedo, by_light.reshape(len(albedo), 3, 27)], axis=-1)


def facing_weight(
    normals: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n"]:
    """0 for what is seen from the side, 1 for what faces the camera; both in its frame."""
    cosine = -(normals * points).sum(axis=1) / np.linalg.norm(points, axis=1)
    return np.clip((cosine - FACING_FROM) / (FACING_FULL - FACING_FROM), 0.0, 1.0)
