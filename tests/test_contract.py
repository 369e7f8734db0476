"""What users rely on beyond single functions."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlanet.assets import asset_records, verified_path
from mlanet.cli import verbs
from mlanet.cli.configuration import ConfiguredVerb
from mlanet.image import read_image
from mlanet.morphable import load_model

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "numpy",
    "cv2",
    "numba",
    "onnxruntime",
    "scipy",
    "trimesh",
    "PIL",
    "pygltflib",
    "fastapi",
)


def python(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--help"], ()),
        (["reconstruct", "--help"], ()),
        (["video", "--help"], ()),
        (["live", "--help"], ()),
        (["animate", "--help"], ()),
        (["batch", "--help"], ()),
        (["demo", "--help"], ()),
        (["train", "--help"], ("numpy",)),  # configurations have shapes
        (["ablate", "--help"], ("numpy",)),
    ],
)
def test_help_imports_nothing_heavy(words, allowed):
    code = (
        "import sys\n"
        "from mlanet.cli import main\n"
        f"try:\n    main({words!r})\n"
        "except SystemExit as stop:\n    assert stop.code in (0, None)\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    heavy = ast.literal_eval(python("-c", code).split("HEAVY")[-1].strip())
    assert set(heavy) <= set(allowed)


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        ("reconstruct", "--out"),
        ("reconstruct", "--same-person"),
        ("demo", "--port"),
        ("batch", "--out"),
        ("fit", "--out"),
        ("doctor", "--json"),
        ("video", "--smooth"),
        ("live", "--live-link"),
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
        ("evaluate portraits", "--teacher"),
        ("train", "--out"),
        ("ablate", "--out"),
        ("export", "--out"),
        ("synthesize heads", "--out"),
        ("synthesize profiles", "--data"),
        ("dataset check", "--layout"),
        ("dataset shards", "--out"),
        ("animate", "--neutral"),
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
    assert named == {tmp_path / f"face_00.{kind}" for kind in ("glb", "json")}
    assert set(tmp_path.iterdir()) == named | {tmp_path / "overlay.png"}
    assert read_image(tmp_path / "overlay.png").shape == (512, 512, 3)


def test_the_second_example_says_where_the_face_is():
    example = ROOT / "examples" / "02_vertices_in_the_photo.py"
    first, angles, *expressions = python(example, verified_path("example-image")).splitlines()
    vertices, x, y = map(float, re.findall(r"[\d.]+\d", first))
    model = load_model()
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


def test_functions_of_the_command_line_take_few_parameters():
    many = {
        name: len(inspect.signature(function).parameters)
        for name, verb in verbs().items()
        for function in [verb.verb if isinstance(verb, ConfiguredVerb) else verb]
    }
    assert {name: count for name, count in many.items() if count > 8} == {}


def test_no_verb_imports_another():
    modules = {
        (verb.verb if isinstance(verb, ConfiguredVerb) else verb).__module__
        for verb in verbs().values()
    }
    assert len(modules) > 12
    for name in modules:
        path = ROOT / "src" / Path(*name.split(".")).with_suffix(".py")
        imported = {
            node.module
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        assert not imported & modules, name


POSIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
POSIX_CALLS = re.compile(
    r"os\.(fork|getuid|geteuid|getgid|killpg|setsid|uname|mkfifo|chown|wait\w*|nice|sched_\w+)\b"
    r"|signal\.(SIGKILL|SIGALRM|SIGHUP|SIGPIPE|SIGUSR\d|alarm)|[\"']/(tmp|dev|proc)\b"
)


def test_nothing_is_asked_of_the_system_that_windows_lacks():
    guarded = []
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not POSIX_CALLS.search(text), path
        tree = ast.parse(text)
        names = {
            alias.name
            for node in ast.walk(tree)
            for alias in (node.names if isinstance(node, ast.Import) else ())
        }
        if names & set(POSIX_ONLY):
            assert "win32" in text or "except ImportError" in text, path
            guarded.append(path.name)
            top = [
                alias.name
                for node in tree.body
                if isinstance(node, ast.Import)
                for alias in node.names
            ]
            assert not set(top) & set(POSIX_ONLY), path
    assert sorted(guarded) == ["plan.py", "results.py", "work.py"]


def test_the_package_has_one_number_and_the_weights_have_theirs():
    from mlanet import __version__

    def first(pattern, *place):
        return re.search(pattern, ROOT.joinpath(*place).read_text(encoding="utf-8"), re.M)[1]

    assert first(r'^version = "(.+)"', "pyproject.toml") == __version__
    assert first(r"^version: (.+)", "CITATION.cff") == __version__
    assert first(r"^## ([\d.]+)", "CHANGELOG.md") == __version__
    weights = asset_records()["mobile"].version
    assert first(r"weights ([\d.]+\d), which", "docs", "model-card.md") == weights
    assert f"| {weights} |" in (ROOT / "docs/records/weights.md").read_text(encoding="utf-8")
