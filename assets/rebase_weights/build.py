r"""Build and register `mobile.onnx`: the network before, its heads learnt anew for the face model.

    python assets/rebase_weights/build.py --before OLD_open_face.npz --network OLD.onnx \
        --data DATA --version 0.7.0

A network knows more of faces than the coefficients of the face model that it was trained with say.
Its pooled features stay; its linear heads of identity, expression, rotation and translation are
learnt anew on them. Labels are fits of the new model to points on which the data's labels, the
network's own answers and MediaPipe's agree, with MediaPipe's blend shapes as the prior of
expressions (labels.py). Colours are regressed from the old model's to the new one's; light stays.

Deterministic: one thread, fixed seeds. Every 40th picture is held out and only measured.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import torch
from jaxtyping import Float

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from register import DATA, register

from mlanet.assets import asset_records
from mlanet.files import atomic_path
from mlanet.fitting.labels import Labels
from mlanet.morphable import MorphableModel, load_model
from rebase_weights.albedo import albedo_change
from rebase_weights.examples import Examples, examples_of
from rebase_weights.graph import Affine, describe, face_model_of, fold, write_head
from rebase_weights.head_turn import HeadTurn
from rebase_weights.heads import landmark_percent, learn_heads
from rebase_weights.labels import (
    NUM_JAW,
    expression_prior,
    fit_labels,
    join_landmarks,
    measure_offsets,
    trusted_scores,
)
from rebase_weights.pictures import Pictures, labelled_pictures, unlabelled_pictures
from rebase_weights.views import FeatureNetwork, Views, look_at

SOURCE = (
    "pooled features of the network for version {before} of the face model (last run of 1150 "
    "steps; all runs: docs/records/weights.md), which learnt from crops of AFLW with landmarks "
    "derived by 3DDFA_V2 and a fit to AFLW's points, YouTube Faces frames and rendered heads; "
    "backbone started from torchvision's MobileNetV2 of ImageNet (assets/backbone.py); carried "
    "over to version {after} by linear heads learnt on the same AFLW crops with these labels and "
    "on portraits (Face Research Lab London Set, CC BY 4.0; official portraits of the US House, "
    "public domain; MEBeauty, research; SCUT-FBP5500, non-commercial research) with points of the "
    "network; points of both joined with those of MediaPipe's Face Landmarker (Apache-2.0), whose "
    "blend-shape scores are the labels of expressions"
)


def main() -> None:
    """Look, label, learn, write, register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="the network's face model")
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--version", required=True, help="of the network that is written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before, after = load_model(arguments.before), load_model()
    network = onnx.load(arguments.network)
    if face_model_of(network) != before.name:
        raise SystemExit(f"{arguments.network}: drives another face model than {before.name}")
    heads = heads_for(after, FeatureNetwork.of(network, before), arguments.data)
    carry_over(network, heads, before, after)
    write(network, arguments.version, before)


def heads_for(model: MorphableModel, network: FeatureNetwork, data: Path) -> Affine:
    """From the network's features to the coefficients of a face model."""
    labelled, unlabelled = labelled_pictures(data), unlabelled_pictures(data)
    views = look_at(labelled, network)
    points = reference(labelled, views)
    offsets = measure_offsets(points, labelled.teacher, HeadTurn.of(views.rotation))
    parts = {
        "labelled": examples(labelled, views, offsets, model),
        "unlabelled": examples(unlabelled, look_at(unlabelled, network), offsets, model),
    }
    heads = learn_heads(Examples.concatenate(list(parts.values())), model)
    for name, part in parts.items():
        apart = landmark_percent(heads, part, model)
        print(
            f"{name}: {len(apart)} crops, points {apart[~part.held_out].mean():.3f} % of the"
            f" face's size from the labels, held out {apart[part.held_out].mean():.3f} %"
        )
    return heads


def reference(pictures: Pictures, views: Views) -> Float[np.ndarray, "n 68 2"]:
    """The 68 points in the pictures: the network's, averaged with labels where there are any."""
    if pictures.labels_px is None:
        return views.landmarks_px
    points = (views.landmarks_px + pictures.labels_px) / 2
    if not pictures.jaw_on_surface:
        points[:, :NUM_JAW] = views.landmarks_px[:, :NUM_JAW]
    return points


def examples(
    pictures: Pictures,
    views: Views,
    offsets: Float[np.ndarray, "bands 51 2"],
    model: MorphableModel,
) -> Examples:
    """Crops of pictures with coefficients of a face model."""
    labels, points = joined_labels(pictures, views, offsets, model)
    scored = trusted_scores(pictures.teacher, HeadTurn.of(views.rotation))
    return examples_of(views, pictures.rows, labels, points, scored, model)


def joined_labels(
    pictures: Pictures,
    views: Views,
    offsets: Float[np.ndarray, "bands 51 2"],
    model: MorphableModel,
) -> tuple[Labels, Float[np.ndarray, "n 68 2"]]:
    """Coefficients and points of pictures on which data, network and teacher agree."""
    turn, teacher = HeadTurn.of(views.rotation), pictures.teacher
    points = join_landmarks(reference(pictures, views), teacher, turn, offsets)
    prior = expression_prior(teacher, turn, model.expression_names)
    labels, points = fit_labels(model, points, prior, trusted_scores(teacher, turn))
    print(
        f"{labels.accepted.sum()} of {len(points)} faces fitted, median residual "
        f"{np.median(labels.residual_percent):.2f} %"
    )
    return labels, points


def carry_over(
    network: onnx.ModelProto, heads: Affine, before: MorphableModel, after: MorphableModel
) -> None:
    """Put learnt heads and the albedo's change into a network, and say so in its description.

    Raises:
        onnx.checker.ValidationError: the network would be broken.
    """
    cuts = after.layout.slices
    place = cuts["translation"].start
    for head, rows in (
        ("heads.identity", cuts["identity"]),
        ("heads.expression", cuts["expression"]),
        ("heads.rotation", cuts["rotation"]),
        ("heads.shift", slice(place, place + 2)),
        ("heads.depth", slice(place + 2, place + 3)),
    ):
        write_head(network, head, heads.rows(rows))
    fold(network, "heads.albedo", albedo_change(before, after))
    describe(network, after)
    onnx.checker.check_model(network, full_check=True)


def write(network: onnx.ModelProto, version: str, before: MorphableModel) -> None:
    """The network into the package, with its record."""
    with atomic_path(DATA / "mobile.onnx") as temporary:
        temporary.write_bytes(network.SerializeToString(deterministic=True))
    register(
        "mobile",
        "mobile.onnx",
        version=version,
        licence=asset_records()["mobile"].licence,
        source=SOURCE.format(
            before=before.name.removeprefix("open-"), after=asset_records()["open_face"].version
        ),
        script="assets/rebase_weights/build.py",
    )


if __name__ == "__main__":
    main()
