"""Is it the same person?"""

import torch
from jaxtyping import Float
from torch import Tensor


def identity_distance(
    rendered: Float[Tensor, "b n"], photo: Float[Tensor, "b n"]
) -> Float[Tensor, "b"]:
    """One minus the cosine between face-recognition embeddings: 0 alike, 2 opposite.

    Deng et al., 2019, equation 4. Embeddings come from any face-recognition network, for
    instance `mlanet.network.DlibFaceNet`; they need not have unit length.
    """
    return 1.0 - torch.nn.functional.cosine_similarity(rendered, photo, dim=1)
