"""Which people of a data set nothing is learnt from."""

import numpy as np
from jaxtyping import Bool, Shaped

ONE_IN = 4
"""Of so many people, in the order of their names, the first is never trained with."""


def unseen_people(person: Shaped[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """Which pictures show people that training leaves out, so that they can be evaluated with.

    Args:
        person: who each picture shows, all pictures of the data set.
    """
    _, number = np.unique(person, return_inverse=True)
    return number % ONE_IN == 0
