"""Textures read at pixels."""

from typing import Any

import numpy as np

from mlanet.geometry.compiling import compiled


@compiled
def read_copies(texels: Any, starts: Any, sizes: Any, uv: Any, level: Any, values: Any) -> None:
    """Add colours, mixed between the two nearest copies of a texture, to `values` (h, w, c).

    `texels` (n, c) holds the copies one after the other, each from `starts` on and of `sizes`
    (height, width); `level` (h, w) says which.
    """
    height, width = level.shape
    channels = texels.shape[1]
    for i in range(height):
        for j in range(width):
            low = int(level[i, j])
            between = level[i, j] - low
            for step in range(2):
                share = between if step else 1.0 - between
                if share <= 0.0:
                    continue
                copy = low + step
                rows, columns = sizes[copy, 0], sizes[copy, 1]
                x = min(max(uv[i, j, 0] * columns - 0.5, 0.0), columns - 1.0)
                y = min(max((1.0 - uv[i, j, 1]) * rows - 0.5, 0.0), rows - 1.0)
                left = min(int(x), max(columns - 2, 0))
                top = min(int(y), max(rows - 2, 0))
                dx, dy = x - left, y - top
                right = 1 if columns > 1 else 0
                below = columns if rows > 1 else 0
                base = starts[copy] + top * columns + left
                a, b = np.uintp(base), np.uintp(base + right)
                c, d = np.uintp(base + below), np.uintp(base + below + right)
                for k in range(channels):
                    upper = texels[a, k] * (1.0 - dx) + texels[b, k] * dx
                    lower = texels[c, k] * (1.0 - dx) + texels[d, k] * dx
                    values[i, j, k] += share * (upper * (1.0 - dy) + lower * dy)
