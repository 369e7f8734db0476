"""Check what `python -m build` made: no results, no large pictures, all that the wheel needs.

python -m build --outdir dist
python benchmarks/package.py dist
"""

import argparse
import sys
import tarfile
import zipfile
from pathlib import Path

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_PICTURE_BYTES = 1_000_000
MAX_ARCHIVE_BYTES = 40_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path, help="folder of the sdist and the wheel")
    dist = parser.parse_args().dist
    (source,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(source) as archive:
        files = {each.name.partition("/")[2]: each.size for each in archive}
    with zipfile.ZipFile(wheel) as archive:
        installed = {each.filename for each in archive.infolist()}
    problems = [f"{path.name} is too large" for path in (source, wheel) if too_large(path)]
    problems += [
        f"{source.name} holds {name}" for name, size in files.items() if unwanted(name, size)
    ]
    wanted = {name.removeprefix("src/") for name in files if name.startswith("src/mlanet/")}
    problems += [f"{wheel.name} lacks {name}" for name in sorted(wanted - installed)]
    for path in (source, wheel):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    for problem in problems:
        print(f"package: {problem}", file=sys.stderr)
    return 1 if problems else 0


def too_large(path: Path) -> bool:
    return path.stat().st_size > MAX_ARCHIVE_BYTES


def unwanted(name: str, size: int) -> bool:
    """Whether a file is a result of a run, or a picture of more than 1 MB."""
    picture = name.lower().endswith(PICTURES) and size > MAX_PICTURE_BYTES
    return picture or name.startswith("docs/results/")


if __name__ == "__main__":
    sys.exit(main())
