"""The geometry heads of a trained network learnt further on its features, kept in memory.

    python assets/fit_heads.py RUN.safetensors --data DATA --heads pairs heads \
        --most-heads 4500 3000 --out OUT.safetensors

What precedes the heads stays as it is, so that a step costs next to nothing: the heads of identity,
expression, rotation, shift and depth are fitted together to landmarks, labels and known shapes of
photos and rendered heads. Rotations are those that AFLW's own labels have. Expressions are labels
of `mlanet label`, those of lids and jaw moved to MediaPipe's scores, which they were fitted away
from. Nothing of every 40th face of `aflw_train` is used, nor of the people that training leaves
out. What the network says of its own sureness stays.
"""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from head_features import Features
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mlanet.datasets import FaceCrops
from mlanet.differentiable_face import DifferentiableFace
from mlanet.files import atomic_path
from mlanet.geometry import six_d_from_matrix
from mlanet.image import transform_points
from mlanet.labelling.answers import crop_changes
from mlanet.labelling.teacher import Teacher
from mlanet.losses import aperture_distance, landmark_distance, side_distance
from mlanet.morphable import load_model
from mlanet.network.mlanet import bounded
from mlanet.training.checkpoint import load_trained
from mlanet.training.objective import EMPHASISED, paired_sides

FOLDERS = {"aflw_train": 2, "ytf68": 1, "portraits": 1}
"""Folders of photos, and of how many faces of each one is taken."""

HELD_OUT = 40

MOST_YAW_DEG = 45.0
"""Beyond it the teacher is not to be trusted: expressions stay what the network says."""

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
SCORES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
CLOSURES = [0.0, 0.12, 0.3, 0.48, 0.66, 0.82, 0.95, 1.0]
"""How far lids are shut for the teacher's `eyeBlink`, without a dead zone at open eyes."""

TEACHERS_SHARE = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0, "jawOpen": 1.0, "browInnerUp": 0.5}
"""How far labels are moved to the teacher's scores."""

FITTED = ("identity", "expression", "rotation", "shift", "depth")
WEIGHTS = {
    "landmarks": 2.0,
    "apertures": 0.7,
    "rotation": 200.0,
    "expression": 4.0,
    "emphasised": 3.0,
    "sides": 4.0,
    "identity": 1.5,
    "shape": 2.0,
}
HEAD_WEIGHT = 0.5
"""Of a rendered head beside a crop of a photo."""

EXPRESSION_DEVIATION = 0.15
STEPS, BATCH, RATE = 150, 2048, 2e-3


@dataclass(frozen=True, eq=False)
class Rows:
    """Crops: features, and what the heads should say (NaN where nobody knows).

    Attributes:
        features: means of the last feature map.
        landmarks: in pixels of the crop.
        identity: coefficients.
        expression: likewise; where they are not known, the network's answers stay.
        rotation: its first two columns.
        weight: of the row.
    """

    features: np.ndarray
    landmarks: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    weight: np.ndarray

    @classmethod
    def cat(cls, parts: list["Rows"]) -> "Rows":
        """All of them."""
        names = [item.name for item in fields(cls)]
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def photos(data: Path, folder: str, every: int, features: Features) -> Rows:
    """Two crops of each face: the protocol's and a turned one."""
    crops = FaceCrops(data / folder)
    with np.load(data / f"{folder}_labels.npz") as file:
        labels = {name: file[name] for name in file.files}
    assert labels["name"].tolist() == crops.names.tolist()
    teacher = Teacher.load(data / "teacher" / f"{folder}.npz", crops.names.tolist())
    chosen = labels["used"] & labels["accepted"]
    if folder == "aflw_train":
        chosen &= crops.rows % HELD_OUT != 0
    rows = np.flatnonzero(chosen)[::every]
    points = labels["landmarks_px"].astype(np.float64)
    changes = [
        crop_changes(points[row], features.size, np.random.default_rng([7, row]))[::2][:2]
        for row in rows.tolist()
    ]

    def seen(place: int) -> list[np.ndarray]:
        picture = crops.decode(int(rows[place]))
        return [change.crop(picture, features.size) for change in changes[place]]

    known = teacher.found[rows]
    if crops.angles_deg is not None:
        known &= np.abs(crops.angles_deg[rows, 1]) < MOST_YAW_DEG
    expression = np.full((len(rows), labels["expression"].shape[1]), np.nan)
    some = rows[known]
    expression[known] = wanted_expression(labels["expression"][some], teacher.only(some))
    rotation = np.full((len(rows), 2, 6), np.nan)
    if crops.rotation is not None:
        own = crops.rotation[rows].astype(np.float64)
        turns = [[turn_of(change.crop_from_image) for change in both] for both in changes]
        rotation = six_d_from_matrix(np.array(turns) @ own[:, None])
    return Rows(
        features(crop for place in range(len(rows)) for crop in seen(place)),
        np.concatenate(
            [
                [transform_points(change.crop_from_image, points[row]) for change in both]
                for row, both in zip(rows.tolist(), changes, strict=True)
            ]
        ),
        np.repeat(labels["identity"][rows], 2, axis=0),
        np.repeat(expression, 2, axis=0),
        rotation.reshape(-1, 6),
        np.ones(2 * len(rows)),
    )


def turn_of(crop_from_image: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "3 3"]:
    """How a crop turns the camera about its axis."""
    turn = np.eye(3)
    turn[:2, :2] = crop_from_image[:, :2] / np.sqrt(np.linalg.det(crop_from_image[:, :2]))
    return turn


def wanted_expression(labels: np.ndarray, teacher: Teacher) -> np.ndarray:
    """The labels, lids, jaw and brows moved towards the teacher's scores."""
    found, names = labels.astype(np.float64), list(load_model().expression_names)
    for name, share in TEACHERS_SHARE.items():
        score, own = teacher.blend_shapes[name], found[:, names.index(name)]
        if name in BLINKS:
            theirs = np.interp(score, SCORES, CLOSURES)
        else:
            theirs = (score - score.mean()) * own.std() / score.std() + own.mean()
        found[:, names.index(name)] = (1.0 - share) * own + share * np.clip(theirs, 0.0, 1.0)
    return found


def rendered(folder: Path, features: Features, most: int) -> Rows:
    """Rendered heads, whose coefficients are known."""
    heads, layout = FaceCrops(folder), load_model().layout
    count = min(len(heads), most)
    assert heads.coefficients is not None
    assert heads.landmarks_px is not None
    assert heads.rotation is not None
    known = heads.coefficients[:count, : layout.identity + layout.expression]
    return Rows(
        features(heads.decode(row) for row in range(count)),
        heads.landmarks_px[:count, :, :2],
        known[:, : layout.identity],
        known[:, layout.identity :],
        six_d_from_matrix(heads.rotation[:count].astype(np.float64)),
        np.full(count, HEAD_WEIGHT),
    )


def fitted(rows: Rows, heads: dict[str, tuple[Tensor, Tensor]], size: int) -> dict[str, Tensor]:
    """New weights and biases of `FITTED`, by name; `heads` are all of them in their order."""
    model = load_model()
    face, layout = DifferentiableFace(model), model.layout
    features = torch.from_numpy(rows.features).float()
    middle, spread = features.mean(dim=0), features.std(dim=0) + 1e-6
    standard = (features - middle) / spread
    before = {name: features @ weight.T + bias for name, (weight, bias) in heads.items()}
    slope = {name: torch.zeros_like(heads[name][0]).requires_grad_() for name in FITTED}
    shift = {name: torch.zeros_like(heads[name][1]).requires_grad_() for name in FITTED}
    wanted = {
        name: torch.from_numpy(getattr(rows, name)).float()
        for name in ("landmarks", "identity", "expression", "rotation", "weight")
    }
    rotated = torch.isfinite(wanted["rotation"]).all(dim=1).float()
    wanted["rotation"] = wanted["rotation"].nan_to_num()
    known = torch.isfinite(wanted["expression"])
    stays = before["expression"].clamp(0.0, 1.0)
    wanted["expression"] = torch.where(known, wanted["expression"], stays)
    low, high = (wanted["landmarks"].aminmax(dim=1)[k] for k in (0, 1))
    sizes = (high - low).prod(dim=1).sqrt()
    targets = torch.nn.functional.pad(wanted["landmarks"], (0, 1))
    inner = face.identity[torch.from_numpy(np.flatnonzero(model.regions["face"] > 0.5))]
    inner = inner - inner.mean(dim=0)
    products = torch.einsum("vci,vcj->ij", inner, inner) / len(inner)
    sides = torch.from_numpy(paired_sides(model.expression_names))
    emphasised = [model.expression_names.index(name) for name in EMPHASISED]
    optimizer = torch.optim.Adam([*slope.values(), *shift.values()], lr=RATE)
    generator = torch.Generator().manual_seed(0)
    order = torch.zeros(0, dtype=torch.long)
    for step in range(STEPS):
        if len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(features), generator=generator)])
        chosen, order = order[:BATCH], order[BATCH:]
        said = {name: answers[chosen] for name, answers in before.items()}
        for name in FITTED:
            said[name] = said[name] + standard[chosen] @ slope[name].T + shift[name]
        turned = (said["rotation"] - wanted["rotation"][chosen]).square().sum(dim=1)
        said["expression"] = bounded(said["expression"])
        found = layout.split(torch.cat(list(said.values()), dim=1))
        points = face.landmarks_px(found, size)
        here, their_size = targets[chosen], sizes[chosen]
        apart = (found.expression - wanted["expression"][chosen]) / EXPRESSION_DEVIATION
        other = found.identity - wanted["identity"][chosen]
        ones, none = torch.ones(BATCH, 68), torch.zeros(BATCH)
        terms = {
            "landmarks": landmark_distance(points, here, their_size, ones, none, 0.0),
            "apertures": aperture_distance(points, here, their_size),
            "rotation": rotated[chosen] * turned,
            "expression": apart.square().mean(dim=1),
            "emphasised": apart[:, emphasised].square().mean(dim=1),
            "sides": side_distance(apart, torch.zeros_like(apart), sides),
            "identity": other.square().mean(dim=1),
            "shape": torch.einsum("bi,ij,bj->b", other, products, other),
        }
        loss = torch.stack(
            [
                WEIGHTS[name] * (term * wanted["weight"][chosen]).mean()
                for name, term in terms.items()
            ]
        ).sum()
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == STEPS - 1:
            print(
                step,
                ", ".join(
                    f"{name} {float(term.detach().mean()):.4f}" for name, term in terms.items()
                ),
            )
    new: dict[str, Tensor] = {}
    for name in FITTED:
        more = slope[name].detach() / spread
        new[f"{name}.weight"] = heads[name][0] + more
        new[f"{name}.bias"] = heads[name][1] + shift[name].detach() - more @ middle
    return new


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", default=["heads"], help="below DATA")
    parser.add_argument("--most-heads", nargs="+", type=int, default=[4500], help="of each folder")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    features = Features(given.checkpoint)
    parts = [photos(given.data, name, every, features) for name, every in FOLDERS.items()]
    parts += [
        rendered(given.data / name, features, most)
        for name, most in zip(given.heads, given.most_heads, strict=True)
    ]
    rows = Rows.cat(parts)
    with safe_open(given.checkpoint, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    names = load_trained(given.checkpoint).network.heads
    heads = {
        name: (
            tensors[f"average.heads.{name}.weight"][:, :, 0, 0],
            tensors[f"average.heads.{name}.bias"],
        )
        for name in names
    }
    for name, values in fitted(rows, heads, features.size).items():
        for which in ("average", "network"):
            key = f"{which}.heads.{name}"
            tensors[key] = values.reshape(tensors[key].shape).clone()
    with atomic_path(given.out) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    print(f"{given.out}: {len(FITTED)} heads from {len(rows.features)} crops")


if __name__ == "__main__":
    main()
