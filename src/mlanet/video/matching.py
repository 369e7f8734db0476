"""Who is who: the assignment of what is seen now to what is known."""

import numpy as np
from jaxtyping import Float

FORBIDDEN = 1e6

NOBODY = -1


def assign(cost: Float[np.ndarray, "n m"], most: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the least total cost, none of which costs more than `most`.

    Leaving a pair out costs `most`, so that one good pair is not given up for two poor ones.
    """
    if not cost.size:
        return []
    limited = np.where(cost <= most, cost, FORBIDDEN)
    rows, columns = cost.shape
    whole = np.full((rows + columns, rows + columns), most)
    whole[:rows, :columns] = limited
    whole[rows:, columns:] = 0.0
    return [(r, c) for r, c in enumerate(_cheapest(whole)[:rows]) if c < columns]


def _cheapest(cost: Float[np.ndarray, "n n"]) -> list[int]:
    """The column of each row in the assignment of the least total cost.

    Rows are assigned one after another along the shortest path to a free column, on which others
    move on to their next; prices of rows and columns keep all ways of no negative length (Jonker &
    Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
    Problems", Computing 1987).
    """
    count = len(cost)
    row_price, column_price = np.zeros(count), np.zeros(count)
    row_of = np.full(count, NOBODY)
    for new in range(count):
        way, before = np.full(count, np.inf), np.full(count, NOBODY)
        reached = np.zeros(count, dtype=bool)
        row, column, length = new, NOBODY, 0.0
        while row != NOBODY:
            farther = length + cost[row] - row_price[row] - column_price
            shorter = ~reached & (farther < way)
            way[shorter], before[shorter] = farther[shorter], column
            column = int(np.where(reached, np.inf, way).argmin())
            length, row = float(way[column]), int(row_of[column])
            if row != NOBODY:
                reached[column] = True
        saved = length - way[reached]
        column_price[reached] -= saved
        row_price[row_of[reached]] += saved
        row_price[new] += length
        while column != NOBODY:
            earlier = int(before[column])
            row_of[column] = row_of[earlier] if earlier != NOBODY else new
            column = earlier
    return [int(column) for column in row_of.argsort()]
