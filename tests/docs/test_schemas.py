"""JSON files that mlanet writes are as their schemas say."""

import json
from pathlib import Path

import pytest

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.morphable import MorphableModel, Transfer, connect, read_model

jsonschema = pytest.importorskip("jsonschema", reason="needs the extra dev")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def validator(name):
    schema = json.loads((REFERENCE / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """What `mlanet reconstruct` writes of the example."""
    folder = tmp_path_factory.mktemp("result")
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", "--example", "--out", str(folder), "--threads", "1"])
    assert stop.value.code == 0
    return folder / "astronaut"


@pytest.mark.parametrize(
    ("schema", "file"), [("face", "face_00.json"), ("manifest", "mlanet-result.json")]
)
def test_results_are_valid(schema, file, result):
    validator(schema).validate(json.loads((result / file).read_text(encoding="utf-8")))


def test_a_face_without_a_detection_is_valid():
    reconstructor = Reconstructor.load(threads=1)
    image = reconstructor(verified_path("example-image"))[0].image
    box = reconstructor.crop_box(reconstructor.detect(image)[0])
    validator("face").validate(reconstructor.predict_in_box(image, box).as_dict())


def test_another_topology_is_valid(workspace, tmp_path):
    (face,) = Reconstructor.load(threads=1)(workspace / "photo.jpg")
    other, _ = connect(face.model, read_model(workspace / "FaceXModel"))
    transfer = Transfer(face.model, other)
    *_, file = face.save_topology(transfer, tmp_path)
    validator("topology").validate(json.loads(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("change", [{"schema": 2}, {"identity": "none"}, {"more": 1}])
def test_other_content_is_refused(change, result):
    content = json.loads((result / "face_00.json").read_text(encoding="utf-8"))
    assert not validator("face").is_valid(content | change)


def test_the_number_of_coefficients_is_the_models(result):
    content = json.loads((result / "face_00.json").read_text(encoding="utf-8"))
    model = MorphableModel.load()
    assert len(content["identity"]) == model.layout.identity
    assert set(content["expression"]) == set(model.expression_names)
