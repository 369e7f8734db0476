"""Is it the same person?"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TEMPERATURE = 0.1
"""Of cosines: that of Khosla et al. (2020)."""

SHRUNK = 0.5
"""How far a batch's covariance is drawn to its diagonal: it has hardly more rows than columns."""


def identity_distance(
    rendered: Float[Tensor, "b n"], photo: Float[Tensor, "b n"]
) -> Float[Tensor, "b"]:
    """One minus the cosine between face-recognition embeddings: 0 alike, 2 opposite.

    Deng et al., 2019, equation 4. Embeddings come from any face-recognition network, for
    instance `mlanet.network.DlibFaceNet`; they need not have unit length.
    """
    return 1.0 - torch.nn.functional.cosine_similarity(rendered, photo, dim=1)


def person_contrast(
    identity: Float[Tensor, "b n"], person: Int[Tensor, "b"], temperature: float = TEMPERATURE
) -> Float[Tensor, "b"]:
    """How badly a picture's identity tells those of the same person from those of others.

    Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2, on cosines of
    identities that are whitened over the batch, as verification compares them. Zero for pictures
    of whose person there is no other; they, too, are others to the rest. No gradient flows through
    mean and covariance.

    Args:
        identity: coefficients.
        person: a number of who is shown; negative where nobody knows.
        temperature: of the cosines.
    """
    rows = torch.nn.functional.normalize(whitened(identity), dim=1)
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    same = (person[:, None] == person) & (person >= 0)[:, None] & ~itself
    scores = (rows @ rows.T / temperature).masked_fill(itself, -torch.inf)
    lacking = scores.logsumexp(dim=1, keepdim=True) - scores
    pairs = same.sum(dim=1)
    return lacking.masked_fill(~same, 0.0).sum(dim=1) / pairs.clamp_min(1)


def whitened(rows: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Rows without their mean, in units of the batch's covariance, drawn to its diagonal."""
    with torch.no_grad():
        mean = rows.mean(dim=0)
        covariance = torch.cov((rows - mean).T.double(), correction=0)
        diagonal = torch.diag(covariance.diagonal() + 1e-6)
        factor = torch.linalg.cholesky(torch.lerp(covariance, diagonal, SHRUNK)).to(rows.dtype)
    return torch.linalg.solve_triangular(factor, (rows - mean).T, upper=False).T
