"""Write what mlanet finds in a folder's pictures, for the browser's tests to compare with.

    python assets/browser/answers.py FOLDER

writes `FOLDER/answers.json`: for each picture, faces from left to right with their landmarks.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from mlanet import Reconstruction, Reconstructor
from mlanet.files import atomic_path

FILE = "answers.json"
KINDS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def main() -> None:
    """Read the command line, write the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    with atomic_path(folder / FILE) as temporary:
        temporary.write_text(json.dumps(answers(folder), indent=1) + "\n", encoding="utf-8")


def answers(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By the picture's name, its faces from left to right."""
    reconstructor = Reconstructor.load()
    pictures = sorted(file for file in folder.iterdir() if file.suffix.lower() in KINDS)
    return {
        picture.name: [_answer(face) for face in _ordered(reconstructor(picture))]
        for picture in pictures
    }


def _ordered(faces: list[Reconstruction]) -> list[Reconstruction]:
    def middle(face: Reconstruction) -> float:
        assert face.detection is not None
        return float(face.detection.box_px[0] + face.detection.box_px[2])

    return sorted(faces, key=middle)


def _answer(face: Reconstruction) -> dict[str, Any]:
    assert face.detection is not None
    return {
        "score": round(face.detection.score, 4),
        "square_px": face.crop.square_px.round(3).tolist(),
        "landmarks_px": face.landmarks_px[:, :2].round(3).tolist(),
        "confidence": None if face.confidence is None else round(face.confidence, 4),
    }


if __name__ == "__main__":
    main()
