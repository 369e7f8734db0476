"""What users rely on beyond single functions."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlanet.assets import asset_records, verified_path

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


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(example, tmp_path):
    output = python(example, verified_path("example-image"), tmp_path)
    assert len(output.splitlines()) >= 5


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
