"""What users rely on beyond single functions."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlanet.assets import asset_records, verified_path
from mlanet.image import read_image
from mlanet.morphable import MorphableModel

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "numpy", "cv2", "numba", "onnxruntime", "scipy", "trimesh", "PIL", "pygltflib")


def python(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from mlanet.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code in (0, None)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert "HEAVY []" in python("-c", code)


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("reconstruct", "--out"),
        ("fit", "--out"),
        ("label", "--out"),
        ("evaluate aflw2000", "--predictions"),
        ("evaluate now", "--images"),
        ("evaluate realy", "--reference"),
        ("evaluate compare", "--out"),
        ("evaluate florence", "--every"),
        ("evaluate florence", "--predictions"),
        ("evaluate scans", "--refine"),
        ("evaluate scans", "--write-pictures"),
        ("evaluate identity", "--weights"),
        ("evaluate occlusion", "--shares"),
        ("evaluate expressions", "--teacher"),
        ("train", "--out"),
        ("ablate", "--out"),
        ("export", "--out"),
        ("synthesize heads", "--out"),
        ("synthesize profiles", "--data"),
        ("dataset check", "--layout"),
        ("dataset shards", "--out"),
        ("models list", "--help"),
        ("models info", "--landmarks"),
        ("models convert", "--out"),
        ("models sheet", "--out"),
        ("models verify", "--help"),
    ],
)
def test_every_verb_has_help(verb, option):
    text = python("-m", "mlanet", *verb.split(), "--help")
    assert f"usage: mlanet {verb} " in text
    assert option in text


def test_inference_does_not_import_torch():
    code = (
        "import sys\nfrom mlanet import Reconstructor\nfrom mlanet.assets import verified_path\n"
        "from mlanet.image import read_image\n"
        "faces = Reconstructor.load()(read_image(verified_path('example-image')))\n"
        "faces[0].render()\nprint(len(faces), 'torch' in sys.modules)"
    )
    assert python("-c", code).split() == ["1", "False"]


def test_the_first_example_writes_the_files_that_it_names(tmp_path):
    output = python(
        ROOT / "examples" / "01_reconstruct.py", verified_path("example-image"), tmp_path
    )
    named = {Path(line) for line in output.splitlines()}
    assert named == {tmp_path / f"face_00.{kind}" for kind in ("glb", "obj", "mtl", "png", "json")}
    assert set(tmp_path.iterdir()) == named | {tmp_path / "overlay.png"}
    assert read_image(tmp_path / "overlay.png").shape == (512, 512, 3)


def test_the_second_example_says_where_the_face_is():
    example = ROOT / "examples" / "02_vertices_in_the_photo.py"
    first, angles, *expressions = python(example, verified_path("example-image")).splitlines()
    vertices, x, y = map(float, re.findall(r"[\d.]+\d", first))
    model = MorphableModel.load()
    assert vertices == len(model.region("face"))
    assert abs(x - 225.0) < 8.0  # the tip of the nose, by eye
    assert abs(y - 126.0) < 8.0
    assert all(abs(float(angle)) < 30.0 for angle in re.findall(r"-?[\d.]+\d", angles))
    weights = [float(line.split()[1]) for line in expressions]
    assert weights == sorted(weights, reverse=True)
    assert {line.split()[0] for line in expressions} <= set(model.expression_names)


def test_every_shipped_file_is_registered_and_its_script_exists():
    records = asset_records()
    folder = next(iter(records.values())).path.parent
    shipped = {path.name for path in folder.iterdir() if path.name != "assets.json"}
    assert shipped == {record.file for record in records.values()}
    for name, record in records.items():
        assert verified_path(name) == record.path
        assert (ROOT / record.script).is_file(), record.script
        assert record.licence
        assert record.source


def test_modules_stay_below_400_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "src").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
