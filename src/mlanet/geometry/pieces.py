"""Connected pieces of meshes."""

import numpy as np
from jaxtyping import Int


def connected_pieces(edges: Int[np.ndarray, "e 2"], count: int) -> Int[np.ndarray, "n"]:
    """Number of the piece that each of `count` vertices belongs to: 0, 1, ... by first vertices.

    Each vertex points to the least one that it is known to hang together with; edges join what
    their ends point to, and pointers are followed to their ends, until nothing changes.
    """
    least = np.arange(count)
    start, end = edges.T
    while True:
        one, other = least[start], least[end]
        apart = one != other
        if not apart.any():
            return np.unique(least, return_inverse=True)[1].reshape(count)
        one, other = one[apart], other[apart]
        np.minimum.at(least, np.maximum(one, other), np.minimum(one, other))
        while (least[least] != least).any():
            least = least[least]
