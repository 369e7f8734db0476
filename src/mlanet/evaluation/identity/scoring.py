"""Verification by identity coefficients: are two pictures of one person?"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from mlanet.datasets import FaceCrops
from mlanet.datasets.archive import load_arrays, positions_of
from mlanet.datasets.people import unseen_people
from mlanet.errors import DataError
from mlanet.evaluation.progress import Progress, batches
from mlanet.evaluation.reporting import Column, Line, Plot, Protocol, Report, Table
from mlanet.image import crop_square, square_from_landmarks
from mlanet.metrics import Verification, cosine_similarity, verification
from mlanet.reconstructor import Reconstructor

PROTOCOL = Protocol(
    "verification of people",
    "verification by cosine similarity: pairs of one person from different videos against pairs "
    "of different people; faces cut by the labels' landmarks; 95 % intervals by a bootstrap over "
    "people",
)

NOTES = {
    "one frame": "One frame of each video, the first by name, against another video's.",
    "mean of a video": "The mean of a video's frames against the mean of another video's.",
    "mean of a person": "The mean of a video's frames against the mean of all other videos of a "
    "person, averaged over those videos.",
}
"""What is compared, from the least knowledge of a person to the most."""

WHITENED, BY_SCATTER = "identity, whitened", "identity, by the scatter within people"

RIDGE = 0.03
"""Added to the scatter within people, in variances of whitened rows."""

MIN_SPREAD = 1e-3
"""Directions with less than this share of the largest deviation are left out of whitening."""

BATCH = 64


Descriptions: TypeAlias = Mapping[str, Float[np.ndarray, "n k"]]
"""What is said of each frame, by the name of the description."""


def describe_frames(
    reconstructor: Reconstructor,
    faces: FaceCrops,
    progress: Progress | None = None,
) -> Descriptions:
    """What a network says of all frames, cut by their labelled landmarks.

    Raises:
        DataError: the labels name no people or have no landmarks, a name tells no video, or a
            picture is broken.
    """
    people_and_videos(faces)
    points = faces.landmarks_px
    if points is None:
        raise DataError("the labels have no landmarks")
    size = reconstructor.regressor.config.input_size
    vectors: list[np.ndarray] = []
    colors: list[np.ndarray] = []
    for rows in batches(len(faces), BATCH, progress):
        squares = [square_from_landmarks(points[k, :, :2].astype(float)) for k in rows]
        pictures = [faces.decode(row) for row in rows]
        crops = np.stack(
            [crop_square(*each, size).image for each in zip(pictures, squares, strict=True)]
        )
        vectors.append(reconstructor.regressor(crops))
        colors.append(crops.mean(axis=(1, 2)) / 255.0)
    vector = np.concatenate(vectors).astype(np.float64)
    coefficients = reconstructor.regressor.config.layout.split(vector)
    return _of_identity(coefficients.identity) | {
        "albedo, whitened": whitened(coefficients.albedo),
        "pose": standardized(
            np.concatenate([coefficients.rotation, coefficients.translation], axis=1)
        ),
        "mean colour of the crop": standardized(np.concatenate(colors)),
    }


def given_descriptions(path: Path, faces: FaceCrops) -> Descriptions:
    """Another method's descriptions: an npz file of the frames' `names` and `identity` (n, any).

    Raises:
        DataError: the file is malformed or not of these frames.
    """
    arrays = load_arrays(path, {"names": (), "identity": (None,)})
    try:
        rows = positions_of(faces.names.tolist(), arrays["names"].tolist(), "there")
    except DataError as error:
        raise DataError(f"{path}: not of these frames ({error})") from error
    given = arrays["identity"][rows].astype(np.float64)
    if not np.ptp(given, axis=0).any():
        raise DataError(f"{path}: 'identity' is the same for all frames")
    return _of_identity(given)


def _of_identity(rows: Float[np.ndarray, "n d"]) -> dict[str, Float[np.ndarray, "n k"]]:
    return {WHITENED: whitened(rows), "identity, mean-free": rows - rows.mean(axis=0)}


def identity_report(
    descriptions: Descriptions, faces: FaceCrops, *, unseen: bool = False
) -> Report:
    """Verify people by descriptions of the frames; see `score_identity`.

    Args:
        descriptions: of all frames.
        faces: the frames.
        unseen: compare only the people that training leaves out (`unseen_people`); how much
            pictures of one person differ is learnt from the others (`within_people`).

    Raises:
        DataError: the labels name no people, or a name tells no video.
    """
    person, video = people_and_videos(faces)
    if unseen and faces.identity is not None:
        kept = unseen_people(faces.identity)
        by_scatter = within_people(descriptions[WHITENED], person, ~kept)
        descriptions = {BY_SCATTER: by_scatter, **descriptions}
        person, video = _numbers(person[kept]), _numbers(video[kept])
        descriptions = {name: rows[kept] for name, rows in descriptions.items()}
    results = {
        level: {
            name: score_identity(rows, person, video, level) for name, rows in descriptions.items()
        }
        for level in NOTES
    }
    people, videos = len(np.unique(person)), len(np.unique(video))
    tables = tuple(
        verification_table(level, by_description) for level, by_description in results.items()
    )
    return Report(
        protocol=PROTOCOL,
        rows=None,
        tables=tables,
        conditions={"people": people, "videos": videos, "frames": len(person)},
        plots=tuple(roc_plot(level, by_description) for level, by_description in results.items()),
    )


def people_and_videos(faces: FaceCrops) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Numbers of each frame's person and video.

    Frames are called as the person, an underscore, and digits of which the last counts the
    frames of a video and the others the videos: `Name_41.webp`.

    Raises:
        DataError: the labels name no people, a name is another one, or there are too few people
            or videos to compare.
    """
    if faces.identity is None:
        raise DataError("labels.npz: needs the array 'identity' to tell people apart")
    videos: list[str] = []
    for name, identity in zip(faces.names.tolist(), faces.identity.tolist(), strict=True):
        stem = name.rsplit(".", 1)[0]
        digits = stem.removeprefix(f"{identity}_")
        if digits == stem or len(digits) < 2 or not digits.isdecimal():
            raise DataError(f"{name}: expected {identity}_ and digits of video and frame")
        videos.append(stem[:-1])
    person, video = _numbers(faces.identity), _numbers(np.array(videos))
    owner = person[np.unique(video, return_index=True)[1]]
    if owner.max(initial=0) == 0 or np.bincount(owner).max() < 2:
        raise DataError("labels.npz: needs two people at least, and two videos of one of them")
    return person, video


def score_identity(
    rows: Float[np.ndarray, "n d"],
    person: Int[np.ndarray, "n"],
    video: Int[np.ndarray, "n"],
    level: str,
    *,
    resamples: int = 200,
) -> Verification:
    """Verification by the cosine of descriptions, one row a frame.

    Numbers of people and videos count from zero; `level` is a key of `NOTES`.

    Raises:
        ValueError: the shapes differ or no person has two videos.
    """
    if not len(rows) == len(person) == len(video):
        raise ValueError(f"expected one row a frame, got {len(rows)}, {len(person)}, {len(video)}")
    places = np.unique(video, return_index=True)[1]
    owner = person[places]
    mean = rows[places] if level == "one frame" else _means(rows, _numbers(video))
    if level != "mean of a person":
        one, other = np.triu_indices(len(mean), 1)
        scores = cosine_similarity(mean, mean)[one, other]
        return verification(scores, owner[one], owner[other], resamples=resamples)
    people, own = np.unique(owner, return_inverse=True)
    count = np.bincount(own)
    total = _means(mean, own) * count[:, None]
    scores = cosine_similarity(mean, total)  # a mean's direction is its sum's
    rest = total[own] - mean
    norms = np.linalg.norm(mean, axis=1) * np.linalg.norm(rest, axis=1)
    scores[np.arange(len(own)), own] = (mean * rest).sum(axis=1) / np.maximum(norms, 1e-12)
    usable = np.ones_like(scores, dtype=bool)
    usable[np.arange(len(own)), own] = count[own] > 1
    one, other = np.nonzero(usable)
    return verification(scores[usable], owner[one], people[other], resamples=resamples)


def standardized(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Columns without their means, of deviation 1; constant columns become zero."""
    centered = rows - rows.mean(axis=0)
    return centered / np.maximum(centered.std(axis=0), 1e-12)


def whitened(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Mean-free rows in the directions of their covariance, each of deviation 1."""
    centered = rows - rows.mean(axis=0)
    _, spread, axes = np.linalg.svd(centered, full_matrices=False)
    kept = spread > MIN_SPREAD * spread[0]
    return centered @ axes[kept].T / spread[kept] * np.sqrt(len(rows))


def within_people(
    rows: Float[np.ndarray, "n d"], person: Int[np.ndarray, "n"], learnt: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "n d"]:
    """Rows in units of how far pictures of one person lie apart, as the `learnt` rows show it.

    Within-class covariance normalisation (Hatch, Kajarekar and Stolcke, "Within-class covariance
    normalization for SVM-based speaker recognition", Interspeech 2006): directions that change
    from picture to picture of one person count little. `rows` are `whitened`.
    """
    some, who = rows[learnt], _numbers(person[learnt])
    apart = some - _means(some, who)[who]
    within = apart.T @ apart / max(len(some) - who.max() - 1, 1) + RIDGE * np.eye(rows.shape[1])
    variances, axes = np.linalg.eigh(within)
    return rows @ (axes / np.sqrt(variances))


def verification_table(level: str, by_description: Mapping[str, Verification]) -> Table:
    """Areas under ROC curves and equal error rates (shares), with 95 % intervals."""
    names = ("auc", "auc_low", "auc_high", "eer", "eer_low", "eer_high")
    rows = tuple(
        (label, *(getattr(v, name) for name in names)) for label, v in by_description.items()
    )
    columns = (Column(name, use="figure" if name in ("auc", "eer") else "") for name in names)
    some = next(iter(by_description.values()))
    note = f"{NOTES[level]} {some.same:,} pairs of one person, {some.different:,} of two."
    return Table(f"Verification, {level}", (Column("described by"), *columns), rows, note)


def roc_plot(level: str, by_description: Mapping[str, Verification]) -> Plot:
    """ROC curves, one for each description."""
    return Plot(
        title=f"ROC, {level}",
        x_label="false positives, share of pairs of two people",
        y_label="true positives, share of pairs of one person",
        x_limit=1.0,
        y_limit=1.0,
        lines=tuple(
            Line(f"{name}, AUC {v.auc:.3f}", v.roc.wrong.tolist(), v.roc.right.tolist())
            for name, v in by_description.items()
        ),
        note=f"{NOTES[level]} Chance is the diagonal.",
        num_x_ticks=5,
    )


def _means(rows: Float[np.ndarray, "n d"], group: Int[np.ndarray, "n"]) -> Float[np.ndarray, "g d"]:
    total = np.zeros((int(group.max()) + 1, rows.shape[1]))
    np.add.at(total, group, rows)
    return total / np.bincount(group)[:, None]


def _numbers(values: Shaped[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
