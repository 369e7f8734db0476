"""Runs that learn the coefficients of a face model of the user's."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.coefficients import CoefficientLayout
from mlanet.datasets import AFLW2000, read_annotations
from mlanet.errors import AssetError, ConfigurationError, DataError, RenderError
from mlanet.evaluation import NetworkSource, aflw2000_report, score_aflw2000
from mlanet.evaluation.aflw2000.pictures import FacePictures
from mlanet.experiments.measure import NetworkPredictor
from mlanet.fitting.labels import label_faces
from mlanet.geometry import euler_from_matrix, matrix_from_6d
from mlanet.morphable import LinearShape, load_model, save_model
from mlanet.network import PRESETS
from mlanet.reconstructor import Reconstructor
from mlanet.training import (
    LossWeights,
    RenderedWeights,
    SourceConfig,
    Stage,
    TrainingConfig,
    train,
)
from mlanet.training.checkpoint import load_trained
from mlanet.training.crop_coefficients import known_of_mirror_images
from mlanet.training.data import LabelledFaces
from mlanet.training.export import export_onnx
from mlanet.training.learner import Learner
from mlanet.training.models import network_for, open_face_model
from mlanet.training.objective import Objective, with_euler_angles
from mlanet.training.plan import make_plan

LAYOUT = CoefficientLayout(identity=7, expression=5, albedo=4)
GREY, BOX = np.full((90, 90, 3), 120, np.uint8), np.array([10.0, 10.0, 80.0, 80.0])


def few_modes(model, **changes):
    """A model of another name, with a few of the embedded one's modes and no mirror map."""
    shape = model.shape
    return replace(
        model,
        name="another",
        shape=LinearShape(shape.mean, shape.identity[..., :7], shape.expression[..., :5]),
        albedo_basis=model.albedo_basis[..., :4],
        mirror=np.zeros(0, np.int32),
        identity_mirror=np.zeros(0, np.float32),
        expression_mirror=np.zeros(0, np.int32),
        identity_names=model.identity_names[:7],
        expression_names=model.expression_names[:5],
        albedo_names=model.albedo_names[:4],
        expression_bounded=False,
        **changes,
    )


def one_image(folder, face):
    """AFLW2000-3D of one grey picture, whose annotation lies a pixel off a face."""
    folder.mkdir()
    Image.fromarray(GREY).save(folder / "image00002.jpg")
    content = {"Pose_Para": np.full((1, 7), 1e-3), "Shape_Para": np.zeros((199, 1))}
    content |= {"Exp_Para": np.zeros((29, 1)), "pt3d_68": face.landmarks_px.T + 1.0}
    savemat(folder / "image00002.mat", content)
    return AFLW2000(folder)


def without_albedo(model):
    none = np.zeros((0, 3), np.float32)
    return replace(model, albedo_mean=none, albedo_basis=none[..., None][..., :0], albedo_names=())


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    file = tmp_path_factory.mktemp("models") / "another.npz"
    save_model(few_modes(model), file)
    return file


@pytest.fixture(scope="module")
def labelled(data, path, tmp_path_factory):
    """The photos with depth, and what `mlanet label --model` writes of them."""
    root = tmp_path_factory.mktemp("labelled")
    (root / "aflw_train").symlink_to(data / "aflw_train")
    with np.load(data / "aflw_train" / "labels.npz") as file:
        names, points = file["name"], file["pts68_px"]
    labels = label_faces(load_model(path), points, max_residual_percent=100.0)
    columns = {n: getattr(labels, n) for n in type(labels).__slots__}
    np.savez(root / "fits.npz", name=names, face_model=np.array("another"), **columns)
    return root


@pytest.fixture(scope="module")
def config(path):
    return TrainingConfig(
        preset="small",
        face_model=str(path),
        steps=2,
        batch_size=4,
        held_out=4,
        stages=(Stage(1.0, 64),),
        sources=(SourceConfig("aflw_train", labels="fits.npz"),),
        weights=LossWeights(shape=0.1, vertices=0.1, coefficients=1.0),
        unlabelled=0.5,
        unlabelled_weights=RenderedWeights(edges=0.1),
    )


def test_a_network_regresses_the_face_models_coefficients(path, config):
    model = open_face_model(config)
    assert (model.name, model.layout) == ("another", LAYOUT)
    assert network_for(config, model) == replace(
        config.network(), layout=LAYOUT, bounded_expression=False
    )
    paper = network_for(replace(config, preset="paper"), model)
    assert paper.layout == replace(LAYOUT, rotation="euler")


def test_the_embedded_model_has_the_presets_networks(model):
    config = TrainingConfig()
    assert open_face_model(config).name == model.name
    assert network_for(config, model) == config.network()


def test_a_run_from_labels_to_a_reconstruction(labelled, path, config, tmp_path):
    plan = make_plan(config, data=labelled)
    assert (plan.face_model, plan.network.layout) == ("another", LAYOUT)
    found = train(config, data=labelled, out=tmp_path / "run", checkpoint_seconds=0.0)
    assert np.isfinite(found["held_out_nme"])
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    assert load_trained(checkpoint).face_model == "another"
    weights = tmp_path / "network.onnx"
    export_onnx(checkpoint, weights)
    reconstructor = Reconstructor.load(weights=weights, model=path)
    face = reconstructor.predict_in_box(GREY, BOX)
    assert face.coefficients.identity.shape == (7,)
    assert face.as_dict()["face_model"] == "another"
    assert np.isfinite(face.landmarks_px).all()
    kinds = [file.suffix for file in face.save(tmp_path / "out")]
    assert kinds == [".glb", ".json"]
    options = ["--weights", weights, "--out", tmp_path / "photos"]
    for more, status in (
        (["--model", path], 0),
        ([], 1),
        (["--model", path, "--topology", path], 2),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["reconstruct", "--example", *map(str, [*options, *more])])
        assert stop.value.code == status
    assert (tmp_path / "photos" / "astronaut" / "overlay.png").exists()
    one_image(tmp_path / "AFLW2000", face)
    options = ["--data", tmp_path / "AFLW2000", "--weights", weights, "--out", tmp_path / "report"]
    for more, status in (([], 1), (["--model", path], 0)):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "aflw2000", *map(str, [*options, *more])])
        assert stop.value.code == status
    with pytest.raises(AssetError, match="drives the face model 'another'"):
        Reconstructor.load(weights=weights)
    with pytest.raises(AssetError, match="this one is 'another'"):
        Reconstructor.load(model=path)


def test_labels_of_another_model_are_refused(labelled, config):
    with pytest.raises(DataError, match=r"of the face model another, not of open-\d") as caught:
        LabelledFaces.of(replace(config, face_model=""), labelled)
    assert "fits.npz" in str(caught.value)


def test_mirror_images_have_unknown_shapes(labelled, path, config):
    model = open_face_model(config)
    follows = known_of_mirror_images(model)
    cut = LAYOUT.slices
    unknown = {name for name in cut if not follows[cut[name]].any()}
    assert unknown == {"identity", "expression", "albedo"}
    for flip, known in ((0.0, True), (1.0, False)):
        change = replace(config.augmentation, flip=flip)
        faces = LabelledFaces.of(config, labelled)
        batch = faces.training_batch(0, 64, replace(config, augmentation=change, unlabelled=0.0))
        assert batch.known[:, cut["rotation"]].all()
        assert batch.known[:, cut["identity"]].all() == known
        assert batch.known[:, cut["identity"]].any() == known
    assert known_of_mirror_images(load_model()).all()


def test_known_rotations_become_euler_angles(model, path, make_faces):
    other = load_model(path)
    layout = replace(LAYOUT, rotation="euler")
    objective = Objective(other, layout, TrainingConfig())
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.normal(size=(3, LAYOUT.size)).astype(np.float32))
    known = torch.ones_like(values)
    known[2, LAYOUT.slices["rotation"]] = 0.0
    found, found_known = with_euler_angles(values, known, LAYOUT, layout)
    assert found.shape == found_known.shape == (3, layout.size)
    angles = found[:2, layout.slices["rotation"]]
    wanted = matrix_from_6d(values[:2, LAYOUT.slices["rotation"]])
    torch.testing.assert_close(angles, euler_from_matrix(wanted))
    assert not found_known[2, layout.slices["rotation"]].any()
    for name in ("identity", "expression", "translation", "lighting"):
        torch.testing.assert_close(found[:, layout.slices[name]], values[:, LAYOUT.slices[name]])
    # A network that answers so has nothing left to learn from what is known.
    terms = objective.coefficient_terms(found, values, known)
    for name in ("coefficients", "standardized_coefficients", "vertices", "shape"):
        assert terms[name]()[:2].abs().max() < 1e-6, name


@pytest.mark.parametrize(
    ("lacking", "change", "message"),
    [
        ({"regions": {}}, {}, "face_model: .* lacks the region 'face': mlanet models convert"),
        (
            {},
            {"weights": LossWeights(photometric=0.0), "unlabelled_weights": RenderedWeights()},
            "^unlabelled_weights.photometric: the face model another has no albedo",
        ),
        ({}, {"unlabelled_weights": RenderedWeights(symmetry=1.0)}, "unlabelled_weights.symmetry"),
    ],
)
def test_models_that_lack_what_is_asked_for(model, config, tmp_path, lacking, change, message):
    made = few_modes(model, **lacking)
    save_model(without_albedo(made) if "albedo" in message else made, tmp_path / "made.npz")
    with pytest.raises(ConfigurationError, match=message):
        open_face_model(replace(config, face_model=str(tmp_path / "made.npz"), **change))


@pytest.mark.parametrize("lacking", ["albedo", "uv", "expression"])
def test_a_poorer_model_from_training_to_pictures(lacking, model, config, data, tmp_path):
    made = few_modes(model)
    if lacking == "albedo":
        made = without_albedo(made)
    elif lacking == "uv":
        made = replace(made, base_uv=np.zeros((0, 2), np.float32), base_uv_faces=None)
    else:
        made = made.first_modes(7, 0, 4)
    file = tmp_path / "made.npz"
    save_model(made, file)
    colors = 0.0 if lacking == "albedo" else 1.0
    plain = replace(
        config,
        face_model=str(file),
        sources=(),
        weights=LossWeights(photometric=colors),
        unlabelled_weights=RenderedWeights(photometric=colors),
    )
    found = train(plain, data=data, out=tmp_path / "run")
    assert np.isfinite(found["held_out_nme"])
    network = load_trained(tmp_path / "run" / "checkpoint.safetensors").network
    predictor = NetworkPredictor(network, load_model(file))
    face = predictor.predict_in_box(GREY, BOX)
    assert face.has_texture == (lacking == "expression")
    kinds = [written.suffix for written in face.save(tmp_path / "out", formats=["glb", "obj"])]
    assert (".png" in kinds) == face.has_texture
    assert len(face.expression) == made.layout.expression
    if not face.has_texture:
        with pytest.raises(RenderError, match="the face model another has no"):
            _ = face.texture
    if lacking == "uv":
        with pytest.raises(RenderError, match="no texture coordinates"):
            face.draw("uv")

    dataset = one_image(tmp_path / "AFLW2000", face)
    truth = read_annotations(None, dataset)
    results = score_aflw2000(NetworkSource(predictor, truth), dataset, truth)
    pictures = FacePictures(predictor, dataset, truth).grids(results)
    report = aflw2000_report(results, "original", "ground-truth")
    replace(report, pictures=pictures).write(tmp_path / "report")
    strip = np.asarray(Image.open(tmp_path / "report" / "worst.png"))
    assert strip[:, 600:].std() > 3.0  # the face, textured or of clay


def test_heads_need_colours(model, config, data, tmp_path):
    save_model(without_albedo(few_modes(model)), tmp_path / "made.npz")
    drawn = replace(
        config,
        face_model=str(tmp_path / "made.npz"),
        sources=(SourceConfig(heads=8),),
        weights=LossWeights(photometric=0.0),
        unlabelled=0.0,
    )
    with pytest.raises(DataError, match="rendered heads: the face model another has no albedo"):
        LabelledFaces.of(drawn, data)


def test_a_run_goes_on_where_its_face_model_was_moved(labelled, path, config, tmp_path):
    train(config, data=labelled, out=tmp_path / "run", checkpoint_seconds=0.0)
    moved = tmp_path / "moved.npz"
    moved.write_bytes(path.read_bytes())
    elsewhere = replace(config, face_model=str(moved))
    assert make_plan(elsewhere, data=labelled, out=tmp_path / "run").done == config.steps
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    described["face_model"] = "a third"
    (tmp_path / "run" / "config.json").write_text(json.dumps(described))
    with pytest.raises(ConfigurationError, match="the run is of a third, this command of another"):
        make_plan(config, data=labelled, out=tmp_path / "run")


def test_euler_angles_are_learnt(labelled, config, monkeypatch):
    turned = replace(PRESETS["small"], layout=replace(LAYOUT, rotation="euler"))
    monkeypatch.setitem(PRESETS, "turned", turned)
    learner = Learner.start(replace(config, preset="turned"))
    faces = LabelledFaces.of(config, labelled)
    report = learner.step(0, faces.training_batch(0, 64, config))
    assert learner.network.config.layout.rotation == "euler"
    assert np.isfinite(report.loss)
    gradient = learner.network.heads["rotation"].bias.grad
    assert gradient.shape == (3,)
    assert gradient.abs().sum() > 0
