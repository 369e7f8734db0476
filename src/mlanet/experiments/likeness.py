"""Does a network's shape look like the person? Errors on heads and people never trained with."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from mlanet.datasets import FaceCrops
from mlanet.datasets.people import unseen_people
from mlanet.evaluation.identity.scoring import people_and_videos, whitened
from mlanet.experiments.measure import BATCH, NetworkPredictor
from mlanet.image import crop_square, square_from_landmarks
from mlanet.losses import shape_distance
from mlanet.metrics import cosine_similarity
from mlanet.morphable.linear import linear_combination
from mlanet.synthesis import HeadsConfig, RenderedHeads

NUM_HEADS, HEADS_SEED = 300, 20_260
"""Heads to measure shapes on; no `mlanet synthesize heads` has this seed but by intention."""

MOST_YAW_DEG = 45.0


def heads_errors(predictor: NetworkPredictor) -> Float[np.ndarray, "n"]:
    """Error of the neutral face's shape of each of `NUM_HEADS` rendered heads, mm.

    Root mean square distance of the vertices of the region `face` after the predicted ones were
    moved and scaled to the true ones (`shape_distance`).
    """
    size, model = predictor.network.config.input_size, predictor.model
    ranges = HeadsConfig(yaw_deg=MOST_YAW_DEG)
    heads = RenderedHeads(model, size=size, count=NUM_HEADS, seed=HEADS_SEED, config=ranges)
    face = model.shape.only(np.flatnonzero(model.regions["face"] > 0.5))
    errors: list[np.ndarray] = []
    for start in range(0, NUM_HEADS, BATCH):
        samples = [heads[k] for k in range(start, min(start + BATCH, NUM_HEADS))]
        vectors = predictor.vectors(np.stack([sample.image for sample in samples]))
        found = predictor.network.config.layout.split(vectors).identity
        known = np.stack([model.layout.split(s.coefficients).identity for s in samples])
        shapes = (
            torch.from_numpy(linear_combination(face.mean, face.identity, coefficients))
            for coefficients in (found, known)
        )
        errors.append(shape_distance(*shapes).sqrt().numpy())
    return np.concatenate(errors)


def people_errors(predictor: NetworkPredictor, folder: Path) -> Float[np.ndarray, "p"]:
    """How often each person that training leaves out is taken for another, in per cent.

    Of all (pair of two videos of the person, pair of one of these videos and one of somebody
    else), the share in which the second is the more alike by the cosine of the whitened identities'
    means: 100 minus the person's own area under the ROC curve. Chance is 50.

    Args:
        predictor: a network and a face model.
        folder: labelled frames of videos, called as `mlanet evaluate identity` has them.

    Raises:
        DataError: the folder is malformed, or its labels name no people.
    """
    faces = FaceCrops(folder)
    person, video = people_and_videos(faces)
    assert faces.identity is not None  # or nobody would have a number
    kept = np.flatnonzero(unseen_people(faces.identity))
    rows = whitened(_identities(predictor, faces, kept))
    _, video = np.unique(video[kept], return_inverse=True)
    total = np.zeros((video.max() + 1, rows.shape[1]))
    np.add.at(total, video, rows)
    owner = person[kept][np.unique(video, return_index=True)[1]]
    return confusion(cosine_similarity(total, total), owner)


def confusion(
    alike: Float[np.ndarray, "v v"], owner: Int[np.ndarray, "v"]
) -> Float[np.ndarray, "p"]:
    """The errors of `people_errors` from how much alike videos are, people in rising order.

    People of whom there is one video are left out.
    """
    shares: dict[int, list[float]] = {}
    for place, who in enumerate(owner.tolist()):
        mine = (owner == who) & (np.arange(len(owner)) != place)
        same, different = alike[place, mine], alike[place, owner != who]
        for score in same:
            wrong = (different > score).mean() + 0.5 * (different == score).mean()
            shares.setdefault(who, []).append(100.0 * float(wrong))
    return np.array([np.mean(shares[who]) for who in sorted(shares)])


def _identities(
    predictor: NetworkPredictor, faces: FaceCrops, rows: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "n k"]:
    """Identity coefficients of some of the faces, cut by their labelled landmarks."""
    config, points = predictor.network.config, faces.landmarks_px
    assert points is not None
    vectors: list[np.ndarray] = []
    for start in range(0, len(rows), BATCH):
        crops = [
            crop_square(
                faces.decode(row),
                square_from_landmarks(points[row, :, :2].astype(float)),
                config.input_size,
            ).image
            for row in rows[start : start + BATCH].tolist()
        ]
        vectors.append(predictor.vectors(np.stack(crops)))
    return config.layout.split(np.concatenate(vectors).astype(np.float64)).identity
