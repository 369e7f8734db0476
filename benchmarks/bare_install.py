"""Check a bare installation: neither torch nor scipy, small, quick to answer, a mesh that loads.

python -m pip install . && mlanet reconstruct --example --out out
python benchmarks/bare_install.py --out out
python -m pip install '.[test]'
python -m pytest -m "not data" --junitxml=tests.xml
python benchmarks/bare_install.py --tests tests.xml
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from xml.etree import ElementTree

MAX_INSTALLED_MB = 700
"""With bytecode, pip and setuptools."""

MAX_HELP_S = 1.5
MIN_TESTS = 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="results of the example")
    parser.add_argument("--tests", type=Path, help="what pytest --junitxml wrote")
    arguments = parser.parse_args()
    problems: list[str] = []
    if arguments.out is not None:
        problems += problems_of_installation(arguments.out)
    if arguments.tests is not None:
        ran = tests_run(arguments.tests)
        print(f"{ran} tests ran")
        if ran < MIN_TESTS:
            problems.append(f"{ran} tests ran, at least {MIN_TESTS} should")
    for problem in problems:
        print(f"bare install: {problem}", file=sys.stderr)
    return 1 if problems else 0


def problems_of_installation(out: Path) -> list[str]:
    """What is wrong with this environment, and with the example's results in `out`."""
    unwanted = [name for name in ("torch", "scipy") if importlib.util.find_spec(name) is not None]
    problems = [f"{name} is installed" for name in unwanted]
    packages = Path(sysconfig.get_paths()["purelib"])
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6
    if size > MAX_INSTALLED_MB:
        problems.append(f"{size:.0f} MB installed")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mlanet", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    if sorted(seconds)[2] > MAX_HELP_S:
        problems.append(f"mlanet --help takes {sorted(seconds)[2]:.2f} s")

    import trimesh

    face = out / "astronaut" / "face_00"
    scene = trimesh.load(face.with_suffix(".glb"))
    vertices = sum(len(mesh.vertices) for mesh in scene.geometry.values())
    landmarks = json.loads(face.with_suffix(".json").read_text())["landmarks_px"]
    if vertices < 6000 or len(landmarks) != 68:
        problems.append(f"{vertices} vertices, {len(landmarks)} landmarks")
    print(f"installed {size:.0f} MB, --help {sorted(seconds)[2]:.2f} s, {vertices} vertices")
    return problems


def tests_run(path: Path) -> int:
    """Tests that were not skipped, of a JUnit file."""
    suites = ElementTree.parse(path).getroot().iter("testsuite")
    return sum(int(suite.get("tests", 0)) - int(suite.get("skipped", 0)) for suite in suites)


if __name__ == "__main__":
    sys.exit(main())
