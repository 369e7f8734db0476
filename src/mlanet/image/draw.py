"""Points, lines and boxes drawn on copies of pictures, smooth and sized to the picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Color = tuple[int, int, int]

LANDMARK_LINES: tuple[tuple[int, int, bool], ...] = (
    (0, 17, False),  # jaw
    (17, 22, False),  # right brow
    (22, 27, False),  # left brow
    (27, 31, False),  # bridge of the nose
    (31, 36, False),  # nostrils
    (36, 42, True),  # right eye
    (42, 48, True),  # left eye
    (48, 60, True),  # outer lips
    (60, 68, True),  # inner lips
)
"""iBUG's 68 points as lines: first point, point after the last, whether the line is closed."""

HIDDEN_OPACITY = 0.5
"""Of lines and circles at hidden landmarks."""

LANDMARK_STROKE = 1 / 150
"""Width of lines through landmarks over the landmarks' extent: small faces stay visible."""

_SHIFT = 8
_PER_PIXEL = 1 << _SHIFT


def stroke_px(image: UInt8[np.ndarray, "h w 3"]) -> float:
    """Line width in pixels that looks alike in pictures of any size."""
    return max(1.0, max(image.shape[:2]) / 400.0)


def draw_points(
    image: UInt8[np.ndarray, "h w 3"],
    points_px: Float[np.ndarray, "n 2"],
    color: Color = (0, 230, 118),
    radius_px: float | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with a disc at each point (pixels); points that are not finite are left out.

    Without `radius_px` the discs fit the picture's size.
    """
    import cv2

    radius = 1.2 * stroke_px(image) if radius_px is None else radius_px
    canvas = image.copy()
    for center in _fixed(points_px):
        cv2.circle(
            canvas, center.tolist(), round(radius * _PER_PIXEL), color, -1, cv2.LINE_AA, _SHIFT
        )
    return canvas


def draw_circles(
    image: UInt8[np.ndarray, "h w 3"],
    centers_px: Float[np.ndarray, "n 2"],
    color: Color,
    radius_px: float,
    width_px: float,
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with a circle around each point (pixels)."""
    import cv2

    canvas = image.copy()
    radius, width = round(radius_px * _PER_PIXEL), max(1, round(width_px))
    for center in _fixed(centers_px):
        cv2.circle(canvas, center.tolist(), radius, color, width, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_polylines(
    image: UInt8[np.ndarray, "h w 3"],
    lines_px: Sequence[Float[np.ndarray, "n 2"]],
    color: Color = (0, 230, 118),
    *,
    closed: bool = False,
    width_px: float | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with lines through the points (pixels) of each array.

    Without `width_px` the lines fit the picture's size.
    """
    import cv2

    width = max(1, round(stroke_px(image) if width_px is None else width_px))
    canvas = image.copy()
    lines = [_fixed(line) for line in lines_px]
    cv2.polylines(canvas, lines, closed, color, width, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_landmarks(
    image: UInt8[np.ndarray, "h w 3"],
    landmarks_px: Float[np.ndarray, "68 d"],
    color: Color = (0, 230, 118),
    visible: Bool[np.ndarray, "68"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with the 68 landmarks (iBUG, pixels) as lines and points.

    Where `visible` is false, points are hollow and lines to them half transparent.

    Raises:
        ValueError: there are not 68 points.
    """
    if len(landmarks_px) != 68:
        raise ValueError(f"expected 68 landmarks, got {len(landmarks_px)}")
    points = landmarks_px[:, :2]
    finite = points[np.isfinite(points).all(axis=1)]
    extent = float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0
    width = min(max(extent * LANDMARK_STROKE, 0.6), 3.0 * stroke_px(image))
    seen = np.ones(68, dtype=bool) if visible is None else visible
    pairs = _landmark_pairs()
    shown = seen[pairs].all(axis=1)
    if not seen.all():
        pale = draw_polylines(image, list(points[pairs[~shown]]), color, width_px=width)
        pale = draw_circles(pale, points[~seen], color, 1.5 * width, width)
        image = blend(image, pale, HIDDEN_OPACITY)
    image = draw_polylines(image, list(points[pairs[shown]]), color, width_px=width)
    return draw_points(image, points[seen], color, radius_px=width)


def blend(
    image: UInt8[np.ndarray, "h w 3"], over: UInt8[np.ndarray, "h w 3"], opacity: float
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture between two; `opacity` is the share of the second."""
    import cv2

    return np.asarray(cv2.addWeighted(image, 1.0 - opacity, over, opacity, 0.0), dtype=np.uint8)


def draw_polygon(
    image: UInt8[np.ndarray, "h w 3"],
    corners_px: Float[np.ndarray, "n 2"],
    color: Color = (0, 230, 118),
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with the inside of a convex polygon (pixels) filled."""
    import cv2

    canvas = image.copy()
    corners = _fixed(corners_px)
    if len(corners):
        cv2.fillConvexPoly(canvas, corners, color, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_box(
    image: UInt8[np.ndarray, "h w 3"],
    box_px: Float[np.ndarray, "4"],
    color: Color = (255, 193, 7),
    width_px: float | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A new picture with the outline of a box (left, top, right, bottom; pixels)."""
    left, top, right, bottom = box_px
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return draw_polylines(image, [corners], color, closed=True, width_px=width_px)


def _landmark_pairs() -> Int[np.ndarray, "n 2"]:
    """First and last point of each piece of `LANDMARK_LINES`."""
    pairs: list[tuple[int, int]] = []
    for start, stop, closed in LANDMARK_LINES:
        pairs += [(k, k + 1) for k in range(start, stop - 1)]
        pairs += [(stop - 1, start)] if closed else []
    return np.array(pairs)


def _fixed(points_px: Float[np.ndarray, "n 2"]) -> np.ndarray:
    """Pixel coordinates in OpenCV's fixed point, which counts from the first pixel's centre."""
    finite = points_px[np.isfinite(points_px).all(axis=1)]
    limit = 2.0**30 / _PER_PIXEL
    return np.rint(np.clip(finite - 0.5, -limit, limit) * _PER_PIXEL).astype(np.int32)
