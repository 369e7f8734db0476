"""Who is who: the assignment of what is seen now to what is known."""

import numpy as np
from jaxtyping import Float

FORBIDDEN = 1e6


def assign(cost: Float[np.ndarray, "n m"], most: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the least total cost, none of which costs more than `most`.

    The Hungarian method (Kuhn, 1955), by SciPy. Leaving a pair out costs `most`, so that one good
    pair is not given up for two poor ones.
    """
    from scipy.optimize import linear_sum_assignment

    if not cost.size:
        return []
    limited = np.where(cost <= most, cost, FORBIDDEN)
    rows, columns = cost.shape
    whole = np.full((rows + columns, rows + columns), most)
    whole[:rows, :columns] = limited
    whole[rows:, columns:] = 0.0
    pairs = zip(*linear_sum_assignment(whole), strict=True)
    return [(int(r), int(c)) for r, c in pairs if r < rows and c < columns]
