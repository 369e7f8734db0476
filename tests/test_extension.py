"""What somebody else may add: detector, backbone, face-model format, data-set layout."""

import json

import numpy as np
import pytest

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.datasets import Layout, Sample, SkippedSamples, layouts, register_layout
from mlanet.detection import Detection, Detector
from mlanet.errors import AssetError, ConfigurationError, DataError
from mlanet.image import read_image
from mlanet.morphable import (
    FaceModelFormat,
    Parts,
    Provenance,
    assemble,
    load_model,
    register_format,
)
from mlanet.morphable.readers import formats


class OneBox:
    """Finds the face of the example photo, wherever it looks."""

    def __call__(self, image, /):
        points = [[195.0, 110.0], [245.0, 110.0], [222.0, 140.0], [200.0, 160.0], [243.0, 160.0]]
        return (Detection(np.array([175.0, 65.0, 270.0, 190.0]), np.array(points), 0.9),)


def test_a_detector_of_ones_own():
    assert isinstance(OneBox(), Detector)
    face = Reconstructor.load(detector=OneBox())(verified_path("example-image"))
    assert [each.detection.score for each in face] == [0.9]
    shipped = Reconstructor.load()(verified_path("example-image"))
    distance = np.linalg.norm(face[0].landmarks_px - shipped[0].landmarks_px, axis=1)
    assert distance.mean() < 0.05 * shipped[0].detection.size_px


def test_a_detector_that_finds_nobody():
    reconstructor = Reconstructor.load(detector=lambda image: [])
    assert reconstructor(read_image(verified_path("example-image"))) == []


class OnePicture:
    """One grey picture, as large as the text in the folder says."""

    names = ("grey",)

    def __init__(self, folder):
        self.skipped = SkippedSamples()
        self.side = int((folder / "side.toy").read_text())

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return Sample("grey", np.full((self.side, self.side, 3), 128, np.uint8))


@pytest.fixture
def toy_layout(monkeypatch):
    monkeypatch.setattr(layouts, "LAYOUTS", dict(layouts.LAYOUTS))
    layout = Layout(OnePicture, lambda at: "side.toy" in at.names)
    register_layout("toy", layout)
    return layout


def test_a_layout_of_ones_own(tmp_path, toy_layout, capsys):
    (tmp_path / "side.toy").write_text("8")
    for words in ([], ["--layout", "toy"]):
        with pytest.raises(SystemExit) as stop:
            main(["dataset", "check", "--data", str(tmp_path), *words])
        assert stop.value.code == 0
        assert "OnePicture, 1 samples can be read" in capsys.readouterr().out
    with pytest.raises(DataError, match="'toy' is taken"):
        register_layout("toy", toy_layout)


def test_without_the_layout_the_folder_is_refused(tmp_path):
    (tmp_path / "side.toy").write_text("8")
    with pytest.raises(DataError, match="none of the layouts"):
        layouts.layout_of(tmp_path)


def read_toy(path, landmarks):
    content = json.loads(path.read_text())
    parts = Parts(
        name="toy",
        millimetres=10.0,
        mean=np.array(content["toy"]),
        identity=np.array(content["modes"]),
        expression=np.zeros((4, 3, 0)),
        faces=np.array(content["triangles"]),
        provenance=Provenance("toy", "CC0", "tests", ""),
    )
    return assemble(parts, path, landmarks)


@pytest.fixture
def toy_file(tmp_path):
    path = tmp_path / "head.json"
    corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    modes = np.ones((4, 3, 1)).tolist()
    triangles = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]
    path.write_text(json.dumps({"toy": corners, "modes": modes, "triangles": triangles}))
    return path


@pytest.fixture
def toy_format(monkeypatch):
    monkeypatch.setattr(formats, "FORMATS", dict(formats.FORMATS))
    entry = FaceModelFormat(lambda given: given.start.startswith(b'{"toy"'), read_toy, "a .json")
    register_format("toy", entry)
    return entry


def test_a_face_model_format_of_ones_own(toy_file, toy_format, capsys):
    model = load_model(toy_file)
    assert (model.name, model.layout.identity, model.layout.expression) == ("toy", 1, 0)
    np.testing.assert_allclose(model.shape.mean, 10.0 * np.array([[0, 0, 0], *np.eye(3)]))
    with pytest.raises(SystemExit) as stop:
        main(["models", "list"])
    assert stop.value.code == 0
    assert "toy               a .json" in capsys.readouterr().out
    with pytest.raises(AssetError, match="'toy' of a face-model format is taken"):
        register_format("toy", toy_format)


def test_without_the_format_the_file_is_refused(toy_file):
    with pytest.raises(AssetError, match="not a face model that mlanet reads: mlanet, basel 2009"):
        load_model(toy_file)


@pytest.fixture
def toy_backbone(torch, monkeypatch):
    from mlanet.network import BackboneEntry, BackboneStage, backbones, register_backbone

    class Toy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            sides = zip((3, 4, 8, 8), (4, 8, 8, 12), (4, 2, 2, 2), strict=True)
            self.steps = torch.nn.ModuleList(torch.nn.Conv2d(i, o, s, s) for i, o, s in sides)

        def forward(self, x):
            maps = []
            for step in self.steps:
                x = step(x).relu()
                maps.append(x)
            return maps

    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))
    stages = [BackboneStage(f"steps.{k}", c) for k, c in enumerate((4, 8, 8, 12))]
    entry = BackboneEntry(Toy, tuple(stages), licence="CC0", source="tests")
    register_backbone("toy", entry)
    return entry


def test_a_backbone_of_ones_own(torch, toy_backbone):
    from mlanet.network import MLANet, NetworkConfig, register_backbone

    config = NetworkConfig(backbone="toy", attention="none", input_size=64)
    network = MLANet(config)
    out = network(torch.rand(2, 3, 64, 64)).coefficients
    assert out.shape == (2, config.layout.size)
    (-out).sum().backward()  # towards larger, allowed expressions
    assert all(head.weight.grad.abs().sum() > 0 for head in network.heads.values())
    frozen = network.backbone.first_stages(2)
    assert [layer.out_channels for layer in frozen] == [4, 8]
    with pytest.raises(ConfigurationError, match="attention: the backbone toy has no place"):
        MLANet(NetworkConfig(backbone="toy"))
    with pytest.raises(ConfigurationError, match="'toy' is taken"):
        register_backbone("toy", toy_backbone)


def test_without_the_backbone_its_name_is_refused_but_its_exported_networks_run(torch):
    from mlanet.network import MLANet, NetworkConfig

    config = NetworkConfig.from_dict(NetworkConfig(backbone="toy", attention="none").as_dict())
    with pytest.raises(ConfigurationError, match="'toy' is none of mobilenetv2_050"):
        MLANet(config)
