"""Dense protocols on a model in 3DDFA's files, made of the embedded one."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.datasets import FaceParameters
from mlanet.errors import AssetError, DataError
from mlanet.evaluation import Predictions, Report
from mlanet.evaluation.aflw2000.dense import DenseProtocol
from mlanet.geometry import Camera, Pose, bounding_box

HEIGHT = 450
IDENTITY, EXPRESSION = 199, 29


@dataclass
class Files:
    """What was written: micrometres, modes of unit length, their deviations, keypoints."""

    path: object
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    keypoints: np.ndarray


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """`Model_Shape.mat` and `Model_Expression.mat` of the embedded model's mean and some modes."""
    folder = tmp_path_factory.mktemp("basel")
    rng = np.random.default_rng(0)
    mean = 1000.0 * model.shape.mean.astype(float)
    rows = 3 * len(mean)

    def modes(given, count):
        mixed = given.reshape(rows, -1) @ rng.normal(size=(given.shape[-1], count))
        return mixed / np.linalg.norm(mixed, axis=0)

    identity = modes(model.shape.identity, IDENTITY)
    expression = modes(model.shape.expression, EXPRESSION)
    marks = np.asarray(model.landmarks.mean)
    apart = np.linalg.norm(marks[:, None] - model.shape.mean[None], axis=-1)
    keypoints = apart.argmin(axis=1)
    sd = {"sigma": np.full((IDENTITY, 1), 2000.0), "sigma_exp": np.full((EXPRESSION, 1), 0.5)}
    shape = {
        "mu_shape": mean.reshape(-1, 1),
        "w": identity,
        "sigma": sd["sigma"],
        "tri": model.base_faces.T + 1,
        "keypoints": keypoints[None] + 1,
    }
    savemat(folder / "Model_Shape.mat", shape)
    others = {"mu_exp": np.zeros((rows, 1)), "w_exp": expression, "sigma_exp": sd["sigma_exp"]}
    savemat(folder / "Model_Expression.mat", others)
    return Files(folder / "Model_Shape.mat", mean, identity, expression, keypoints)


@pytest.fixture(scope="module")
def protocol(files, model, with_scipy):
    return DenseProtocol.load(files.path, model)


def projected(files, pose, shape, expression):
    """3DDFA's rule, written out: all vertices in pixels, y down."""
    points = files.mean + (files.identity @ shape + files.expression @ expression).reshape(-1, 3)
    pitch, yaw, roll = pose[:3]
    cos, sin = np.cos, np.sin
    about_x = [[1, 0, 0], [0, cos(pitch), sin(pitch)], [0, -sin(pitch), cos(pitch)]]
    about_y = [[cos(yaw), 0, -sin(yaw)], [0, 1, 0], [sin(yaw), 0, cos(yaw)]]
    about_z = [[cos(roll), sin(roll), 0], [-sin(roll), cos(roll), 0], [0, 0, 1]]
    rotation = np.array(about_x) @ about_y @ about_z
    found = pose[6] * points @ rotation.T + pose[3:6]
    found[:, 1] = HEIGHT + 1 - found[:, 1]
    return found


@pytest.fixture(scope="module")
def case(files):
    """Parameters of one image and all its true vertices."""
    rng = np.random.default_rng(1)
    pose = np.array([0.1, -0.6, 0.2, 210.0, 190.0, -40.0, 9e-4])
    shape = 20000.0 * rng.normal(size=IDENTITY)
    expression = 0.5 * rng.normal(size=EXPRESSION)
    vertices = projected(files, pose, shape, expression)
    return FaceParameters(pose, shape, expression, landmarks_px=vertices[files.keypoints]), vertices


def test_the_truth_is_that_of_3ddfas_rule(protocol, case, files):
    parameters, vertices = case
    truth, eyes = protocol.truth("image", parameters, HEIGHT)
    np.testing.assert_allclose(truth, vertices[protocol.region], atol=2e-2)
    outer = vertices[files.keypoints[36]] - vertices[files.keypoints[45]]
    assert eyes == pytest.approx(np.linalg.norm(outer), abs=1e-2)


def test_the_face_region_is_a_part_of_the_face(protocol):
    share = len(protocol.region) / protocol.basel.num_base_vertices
    assert 0.2 < share < 0.95


def test_known_errors_come_back(protocol, case):
    parameters, vertices = case
    truth = vertices[protocol.region]
    box = bounding_box(truth[:, :2])
    size = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    exact = protocol.errors("image", vertices, parameters, HEIGHT)
    assert max(exact.nme_2d_dense, exact.nme_3d_dense, exact.nme_3d_reconstruction) < 0.01
    moved = protocol.errors("image", vertices + np.array([3.0, 4.0, 99.0]), parameters, HEIGHT)
    assert moved.nme_2d_dense == pytest.approx(500 / size, rel=1e-3)
    assert moved.nme_3d_dense == pytest.approx(500 / size, rel=1e-3)
    assert moved.nme_3d_reconstruction < 0.01
    larger = protocol.errors("image", 1.2 * vertices, parameters, HEIGHT)
    assert larger.nme_3d_reconstruction < 0.01 < larger.nme_2d_dense


def test_own_faces_are_carried_over(protocol, model):
    """The embedded mean in some pose has the vertices that the Basel-like mean has in it."""
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1000.0]))
    camera = Camera(2000.0, (200.0, 220.0))
    layout = model.layout
    still = [np.zeros(n, np.float32) for n in (layout.identity, layout.expression, layout.albedo)]
    face = SimpleNamespace(mesh=model.mesh(*still), pose=pose, camera=camera)
    carried = protocol.carried(face)[protocol.region]
    points = model.shape.mean[protocol.region].astype(float)
    depth = 1000.0 - points[:, 2]
    expected = [200 + 2000 * points[:, 0] / depth, 220 - 2000 * points[:, 1] / depth]
    off = np.linalg.norm(carried[:, :2] - np.stack(expected, axis=1), axis=1)
    assert np.median(off) < 1.0  # a pixel is 0.5 mm there
    np.testing.assert_allclose(carried[:, 2], 2.0 * points[:, 2], atol=8.0)


def test_a_model_that_the_parameters_do_not_belong_to(protocol, case, model):
    parameters, vertices = case
    other = replace(parameters, shape=-4.0 * parameters.shape)
    with pytest.raises(DataError, match="belong to another model"):
        protocol.errors("image", vertices, other, HEIGHT)
    with pytest.raises(DataError, match="has 7 vertices"):
        protocol.errors("image", vertices[:7], parameters, HEIGHT)
    with pytest.raises(AssetError, match=r"199 \+ 29"):
        DenseProtocol.of(model, model)


def test_vertices_of_a_file_through_the_command(protocol, files, tmp_path, monkeypatch):
    """Three images whose parameters belong to the model, predictions five pixels off."""
    monkeypatch.setattr(DenseProtocol, "load", lambda path, model: protocol)
    rng = np.random.default_rng(4)
    names, yaws, truth = [f"image{k:05d}.jpg" for k in range(3)], [0.0, 45.0, -75.0], []
    for name, yaw in zip(names, yaws, strict=True):
        pose = np.array([0.0, np.radians(yaw), 0.1, 220.0, 200.0, 0.0, 9e-4])
        shape, expression = 9000.0 * rng.normal(size=IDENTITY), 0.3 * rng.normal(size=EXPRESSION)
        truth.append(projected(files, pose, shape, expression))
        Image.new("RGB", (HEIGHT, HEIGHT)).save(tmp_path / name)
        content = {"Pose_Para": pose[None], "Shape_Para": shape[:, None]}
        content |= {"Exp_Para": expression[:, None], "pt3d_68": truth[-1][files.keypoints].T}
        savemat(tmp_path / name.replace(".jpg", ".mat"), content)
    vertices = np.stack(truth)
    landmarks = vertices[:, files.keypoints]
    np.savez(
        tmp_path / "annotations.npz",
        name=np.array(names),
        pts68_original=landmarks.transpose(0, 2, 1),
        pts68_reannotated=landmarks[..., :2].transpose(0, 2, 1),
        yaw_deg=np.array(yaws),
        roi_box=np.array([[100.0, 100.0, 300.0, 300.0]] * 3),
    )
    moved = vertices + np.array([3.0, 4.0, 0.0])
    given, out = tmp_path / "p.npz", tmp_path / "out"
    Predictions(tuple(names), moved[:, files.keypoints], vertices=moved).save(given)
    arguments = ["--data", tmp_path, "--annotations", tmp_path / "annotations.npz", "--out", out]
    arguments += ["--predictions", given, "--basel", files.path]
    saved = tmp_path / "saved.npz"
    arguments += ["--save-predictions", saved]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "aflw2000", *map(str, arguments)])
    assert stop.value.code == 0
    report = Report.read(out / "report.json")
    expected = []
    for points in vertices[:, protocol.region]:
        box = bounding_box(points[:, :2])
        expected.append(500.0 / np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
    dense = report.table("Dense alignment and 3D reconstruction")
    mean = dense.value("mean of bins", "nme_2d_dense")
    assert mean == pytest.approx(np.mean(expected), rel=1e-3)
    assert dense.value("30-60", "nme_2d_dense") == pytest.approx(expected[1], rel=1e-3)
    assert dense.value("mean of bins", "nme_3d_reconstruction") < 0.01
    assert all(error > 0.0 for error in report.rows.values("nme_3d_dense"))
    assert "3D reconstruction" in (out / "report.md").read_text()
    kept = Predictions.load(saved).vertices
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, moved, rtol=1e-6, atol=1e-4)

    own = [*arguments[:6], "--basel", files.path, "--save-predictions", saved]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "aflw2000", *map(str, own)])
    assert stop.value.code == 0
    found = Predictions.load(saved).vertices
    assert found.shape == moved.shape
    for points, mine in zip(vertices, found, strict=True):  # of nothing the network makes a face
        middle = np.median(mine[:, :2], axis=0)
        assert np.linalg.norm(middle - [200.0, 200.0]) < 150.0
        assert 0.3 < np.ptp(mine[:, 0]) / np.ptp(points[:, 0]) < 3.0
    dense = Report.read(out / "report.json").table("Dense alignment and 3D reconstruction")
    assert dense.value("mean of bins", "nme_2d_dense") > 0.1

    Predictions(tuple(names), moved[:, files.keypoints]).save(given)
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "aflw2000", *map(str, arguments)])
    assert stop.value.code == 2
