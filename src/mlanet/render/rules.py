"""The numbers that decide what is seen, shared by every way of finding it."""

SUBPIXEL_BITS = 8
SUBPIXELS = 1 << SUBPIXEL_BITS
"""Positions are rounded to 1/256 px; inside or outside is then decided in integers."""

HALF = SUBPIXELS // 2
"""A pixel's centre on that grid."""

NEAR_DEPTH_MM = 1e-3
"""Triangles with a vertex at or behind this depth are dropped, not clipped."""

GUARD_PX = 2.0**21
"""Triangles with a vertex farther from the picture's corner are dropped (64-bit overflow)."""

WORST_WEIGHT = -0.25
"""Weights below this come from a triangle that only rounding has made: a sliver."""

MOST_BEYOND = 0.5
"""How far beyond its ends, of its length, an edge is followed to a line of pixels' centres that
it reaches only when it is rounded."""

ROUNDING_PX = 1.0 / 64.0
"""Outlines this far beyond a pixel's centre that has not changed hands are there by rounding."""
