"""Two heads of a trained network learnt once more on its features, in closed form.

    python assets/refit_heads.py RUN.safetensors --data DATA --heads heads6 --out OUT.safetensors

The expression head gets the ridge regression of what it lacks: labels of `mlanet label` (those of
lids, jaw and brows moved half way to MediaPipe's scores, which they were fitted away from) and
the known expressions of rendered heads, minus its answers. The identity head gets what is left of
labels and rendered heads' shapes along the few directions of the features in which people differ
most, compared with how far pictures of one person do (Fisher's discriminants). Nothing of every
40th face of `aflw_train`, nor of the people that training leaves out, is used. What the network
says of its own sureness stays.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from head_features import Features
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlanet.datasets import FaceCrops
from mlanet.files import atomic_path
from mlanet.labelling.answers import crop_changes
from mlanet.labelling.teacher import Teacher
from mlanet.morphable import load_model

FOLDERS = ("aflw_train", "ytf68", "portraits")
HELD_OUT = 40
EVERY = {"aflw_train": 3}
"""Of so many faces one is taken: there are enough."""

MOST_YAW_DEG = 45.0
"""Beyond it the teacher is not to be trusted: expressions stay what the network says."""

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
SCORES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
CLOSURES = [0.0, 0.12, 0.3, 0.48, 0.66, 0.82, 0.95, 1.0]
"""How far lids are shut for the teacher's `eyeBlink`, without a dead zone at open eyes."""

SCALED = ("jawOpen", "browInnerUp")
TEACHERS_SHARE = 0.5
EXPRESSION_RIDGE, IDENTITY_RIDGE, SCATTER_RIDGE = 10.0, 1.0, 0.1
"""Of standardized features, the first two in thousandths of the number of crops."""

STEP = 0.5
"""Share of what the regressions find that the heads take: with all of it landmarks of held-out
faces are 0.02 points worse, with half of it 0.007, for nearly the same expressions."""

DIRECTIONS = 30
HEAD_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Rows:
    """Crops: features, and what the two heads should say (NaN where the head is to stay)."""

    features: np.ndarray
    expression: np.ndarray
    identity: np.ndarray
    person: np.ndarray
    weight: np.ndarray


def main() -> None:
    """Read, regress, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--heads", default="heads6", help="folder of rendered heads below DATA")
    parser.add_argument("--most-heads", type=int, default=3000)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    features = Features(given.checkpoint)
    parts = [photos(given.data, folder, features) for folder in FOLDERS]
    parts.append(rendered(given.data / given.heads, features, given.most_heads))
    rows = Rows(*(np.concatenate([getattr(p, n) for p in parts]) for n in Rows.__annotations__))
    with safe_open(given.checkpoint, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for name, refit in (("expression", refit_expression), ("identity", refit_identity)):
        keys = [f"average.heads.{name}.{what}" for what in ("weight", "bias")]
        weight, bias = (tensors[key].double().numpy() for key in keys)
        new_weight, new_bias = refit(rows, weight[:, :, 0, 0], bias)
        tensors[keys[0]] = torch.from_numpy(new_weight[:, :, None, None]).float().contiguous()
        tensors[keys[1]] = torch.from_numpy(new_bias).float().contiguous()
        for key in keys:
            tensors[key.replace("average.", "network.")] = tensors[key].clone()
    with atomic_path(given.out) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    print(f"{given.out}: heads of expression and identity from {len(rows.features)} crops")


def photos(data: Path, folder: str, features: Features) -> Rows:
    """Two crops of each face: the protocol's and a changed one."""
    crops = FaceCrops(data / folder)
    with np.load(data / f"{folder}_labels.npz") as file:
        labels = {name: file[name] for name in file.files}
    assert labels["name"].tolist() == crops.names.tolist()
    teacher = Teacher.load(data / "teacher" / f"{folder}.npz", crops.names.tolist())
    chosen = labels["used"] & labels["accepted"]
    if folder == "aflw_train":
        chosen &= crops.rows % HELD_OUT != 0
    rows = np.flatnonzero(chosen)[:: EVERY.get(folder, 1)]
    seen: list[np.ndarray] = []
    for row in rows.tolist():
        picture, around = crops.decode(row), labels["landmarks_px"][row]
        changes = crop_changes(around, features.size, np.random.default_rng([7, row]))
        seen += [changes[k].crop(picture, features.size) for k in (0, 2)]
    count = len(rows)
    scored = teacher.found[rows]
    if crops.angles_deg is not None:
        scored &= np.abs(crops.angles_deg[rows, 1]) < MOST_YAW_DEG
    expression = np.full((count, labels["expression"].shape[1]), np.nan)
    some = rows[scored]
    expression[scored] = wanted_expression(labels["expression"][some], teacher.only(some))
    person = np.arange(count) if crops.identity is None else crops.identity[rows]
    named = np.array([f"{folder} {who}" for who in person.tolist()])
    return Rows(
        features(seen).astype(np.float64),
        np.repeat(expression, 2, axis=0),
        np.repeat(labels["identity"][rows].astype(np.float64), 2, axis=0),
        np.repeat(named, 2),
        np.full(2 * count, 0.5),
    )


def wanted_expression(labels: np.ndarray, teacher: Teacher) -> np.ndarray:
    """The labels, lids, jaw and brows moved towards the teacher's scores."""
    found, names = labels.astype(np.float64), list(load_model().expression_names)
    for name in (*BLINKS, *SCALED):
        score, own = teacher.blend_shapes[name], found[:, names.index(name)]
        if name in BLINKS:
            theirs = np.interp(score, SCORES, CLOSURES)
        else:
            theirs = (score - score.mean()) * own.std() / score.std() + own.mean()
        mixed = (1.0 - TEACHERS_SHARE) * own + TEACHERS_SHARE * np.clip(theirs, 0.0, 1.0)
        found[:, names.index(name)] = mixed
    return found


def rendered(folder: Path, features: Features, most: int) -> Rows:
    """Rendered heads, whose coefficients are known."""
    heads = FaceCrops(folder)
    count, layout = min(len(heads), most), load_model().layout
    assert heads.coefficients is not None
    known = heads.coefficients[:count, : layout.identity + layout.expression].astype(np.float64)
    return Rows(
        features(heads.decode(row) for row in range(count)).astype(np.float64),
        known[:, layout.identity :],
        known[:, : layout.identity],
        np.array([f"head {row}" for row in range(count)]),
        np.full(count, HEAD_WEIGHT),
    )


def refit_expression(
    rows: Rows, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The head plus the regression of what it lacks; below zero nothing is lacking at rest."""
    answer = rows.features @ weight.T + bias
    lacking = np.nan_to_num(rows.expression - answer)  # turned heads: as it was
    lacking = np.where((answer < 0.0) & (rows.expression < 1e-3), 0.0, lacking)
    lacking = np.where((answer > 1.0) & (rows.expression > 1.0 - 1e-3), 0.0, lacking)
    more, offset = ridge(rows.features, lacking, rows.weight, EXPRESSION_RIDGE)
    return weight + STEP * more, bias + STEP * offset


def refit_identity(
    rows: Rows, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The head plus the regression of what it lacks on the directions that tell people apart."""
    directions = discriminants(rows)
    lacking = rows.identity - (rows.features @ weight.T + bias)
    more, offset = ridge(rows.features @ directions, lacking, rows.weight, IDENTITY_RIDGE)
    return weight + STEP * more @ directions.T, bias + STEP * offset


def discriminants(rows: Rows) -> np.ndarray:
    """Directions (features, k) of largest scatter between people over that within people."""
    people, number, count = np.unique(rows.person, return_inverse=True, return_counts=True)
    several = np.flatnonzero(count > 2)  # two crops of one picture say little
    kept = np.isin(number, several)
    spread = rows.features[kept].std(axis=0) + 1e-9
    features, number = rows.features[kept] / spread, np.unique(number[kept], return_inverse=True)[1]
    means = np.stack([features[number == k].mean(axis=0) for k in range(len(several))])
    apart = features - means[number]
    within = apart.T @ apart / (len(features) - len(several)) + SCATTER_RIDGE * np.eye(len(spread))
    sources = np.array([people[k].split()[0] for k in several.tolist()])
    for source in np.unique(sources):  # cameras differ between sources, not people
        means[sources == source] -= means[sources == source].mean(axis=0)
    variances, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(variances)
    _, order = np.linalg.eigh(white.T @ np.cov(means.T) @ white)
    return (white @ order[:, -DIRECTIONS:]) / spread[:, None]


def ridge(
    features: np.ndarray, wanted: np.ndarray, weight: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (wanted, features) and offset of a weighted ridge regression."""
    share = weight / weight.sum()
    mean, goal = share @ features, share @ wanted
    spread = np.sqrt(share @ (features - mean) ** 2) + 1e-9
    centred = (features - mean) / spread
    product = (centred * share[:, None]).T @ centred + strength / 1000.0 * np.eye(len(mean))
    found = np.linalg.solve(product, (centred * share[:, None]).T @ (wanted - goal))
    slope = (found / spread[:, None]).T
    return slope, goal - slope @ mean


if __name__ == "__main__":
    main()
