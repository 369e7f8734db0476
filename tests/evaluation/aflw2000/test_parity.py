"""The protocol again, transcribed from its papers, in plain NumPy."""

import os
from pathlib import Path

import numpy as np
import pytest

from mlanet.datasets import AFLW2000, read_annotations
from mlanet.evaluation import Predictions, score_aflw2000
from mlanet.evaluation.aflw2000.report import alignment_table
from mlanet.metrics import YAW_BINS, yaw_bin_index

PUBLISHED = (1312, 383, 305)


def transcribed(predicted, truth, yaw, missed=None):
    """Zhu et al. (PAMI 2017), one image and one point after another; a missed face has 100 %."""
    errors = []
    for k, (points, target) in enumerate(zip(predicted, truth, strict=True)):
        if missed is not None and missed[k]:
            errors.append(100.0)
            continue
        width = target[:, 0].max() - target[:, 0].min()
        height = target[:, 1].max() - target[:, 1].min()
        distances = [np.hypot(*(p[:2] - t[:2])) for p, t in zip(points, target, strict=True)]
        errors.append(100 * sum(distances) / 68 / np.sqrt(width * height))
    low = [e for e, a in zip(errors, yaw, strict=True) if abs(a) <= 30]
    middle = [e for e, a in zip(errors, yaw, strict=True) if 30 < abs(a) <= 60]
    high = [e for e, a in zip(errors, yaw, strict=True) if abs(a) > 60]
    means = [sum(part) / len(part) for part in (low, middle, high)]
    return [*means, sum(means) / 3]


@pytest.mark.data
@pytest.mark.parametrize(
    ("where", "annotation"),
    [
        ("MLANET_DATA", "original"),
        ("MLANET_DATA", "reannotated"),
        ("MLANET_AFLW2000", "original"),
    ],
)
def test_scores_of_any_file_are_the_protocols(tmp_path, where, annotation):
    """The 400 validation images, the whole data set, or both; every ninth face is missed."""
    if where not in os.environ:
        pytest.skip(f"{where} is not set")
    folder = Path(os.environ[where])
    if where == "MLANET_DATA":
        folder = folder / "aflw2000_dev"
    dataset = AFLW2000(folder)
    truth = read_annotations(
        folder / "annotations.npz" if where == "MLANET_DATA" else None, dataset
    )
    rng = np.random.default_rng(1)
    given = truth.original_px + rng.normal(scale=4.0, size=truth.original_px.shape)
    order = rng.permutation(len(given))
    names = tuple(truth.names[k] for k in order)
    missed = np.arange(len(given)) % 9 == 0
    Predictions(names, given[order].astype(np.float32), missed=missed[order]).save(
        tmp_path / "p.npz"
    )
    results = score_aflw2000(
        Predictions.load(tmp_path / "p.npz").source, dataset, truth, annotation=annotation
    )
    target = truth.original_px if annotation == "original" else truth.reannotated_px
    points = given.astype(np.float32).astype(float)
    expected = transcribed(points, target, truth.yaw_deg, missed)
    table = alignment_table(results)
    np.testing.assert_allclose(table.values("nme_2d_68"), expected, atol=1e-6)
    expected = transcribed(points[~missed], target[~missed], truth.yaw_deg[~missed])
    np.testing.assert_allclose(table.values("nme_2d_68_found"), expected, atol=1e-6)


def test_bins_of_the_borders():
    yaw = np.array([0, 30, 30.0001, -60, 60.0001, -89, 30 + 1e-12])
    assert [YAW_BINS[k][:2] for k in yaw_bin_index(yaw)] == [
        "0-",
        "0-",
        *["30"] * 2,
        *["60"] * 2,
        "30",
    ]


@pytest.mark.data
@pytest.mark.skipif("MLANET_AFLW2000" not in os.environ, reason="MLANET_AFLW2000 is not set")
def test_published_bins_come_out_of_all_images():
    """`MLANET_AFLW2000`: the whole data set, 2,000 images."""
    dataset = AFLW2000(Path(os.environ["MLANET_AFLW2000"]))
    yaw = np.degrees([dataset.parameters(index).pose[1] for index in range(len(dataset))])
    assert tuple(np.bincount(yaw_bin_index(yaw), minlength=3)) == PUBLISHED
