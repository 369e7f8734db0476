"""MediaPipe's face mesh on AFLW2000-3D, as a file that `mlanet evaluate aflw2000` scores.

    python -m venv other && other/bin/pip install 'mediapipe==0.10.9' 'numpy<2' scipy
    other/bin/python benchmarks/face_mesh.py --data AFLW2000 --learn DATA/aflw_train --out mesh
    mlanet evaluate aflw2000 --data AFLW2000 --predictions mesh.npz --name "face mesh" --out report

MediaPipe's later wheels hold no models, and these want numpy 1: it runs in an environment of its
own and imports nothing of mlanet. Every picture is seen whole, by MediaPipe's own detector. Of
several faces the one that overlaps the true landmarks' box best counts; if that overlap is below
0.3, the face is missed, as with mlanet's detector.

Two files are written. In `mesh.npz` the 68 points are the vertices nearest to iBUG's, which are
other points by definition, the jaw's most of all. In `mesh-learnt.npz` they are an affine function
of all 468 vertices, learnt by ridge regression from faces of AFLW whose labels are of the same
kind as the benchmark's, so that no definition stands against MediaPipe.
"""

import argparse
import io
import statistics
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

VERTICES = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
)
"""Of MediaPipe's mesh, in iBUG's order."""

MIN_OVERLAP = 0.3
RIDGE = 1e-2
ENLARGED, BORDER = 4, 0.5
"""Crops of AFLW: how many times as large they are made, and the border that is added of each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="AFLW2000-3D, folder or tar")
    parser.add_argument("--learn", type=Path, required=True, help="folder aflw_train")
    parser.add_argument("--out", type=Path, required=True, help="the files' name without .npz")
    parser.add_argument("--only", type=Path, help="text file with names of pictures")
    parser.add_argument("--every", type=int, default=4, help="learn from each so many faces")
    given = parser.parse_args()
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=8)
    learnt = learn(mesh, given.learn, given.every)
    only = set(given.only.read_text().split()) if given.only else None
    names, found, seconds = [], [], []
    for name, image, truth in pictures(given.data, only):
        started = time.perf_counter()
        faces = meshes(mesh, image)
        seconds.append(time.perf_counter() - started)
        names.append(name)
        found.append(chosen(faces, truth))
    nearest = [None if face is None else face[list(VERTICES)] for face in found]
    save(given.out.with_suffix(".npz"), names, nearest)
    save(
        given.out.with_name(f"{given.out.name}-learnt.npz"),
        names,
        [None if face is None else learnt(face) for face in found],
    )
    missed = sum(face is None for face in found)
    median = 1000.0 * statistics.median(seconds)
    print(f"{len(found)} pictures, {missed} missed, {median:.1f} ms a picture (median)")


def meshes(mesh: Any, image: np.ndarray) -> list[np.ndarray]:
    """Vertices (468, 3) of every face in a picture, in its pixels."""
    found = mesh.process(image).multi_face_landmarks or []
    height, width = image.shape[:2]
    size = np.array([width, height, width])
    return [np.array([[p.x, p.y, p.z] for p in face.landmark])[:468] * size for face in found]


def chosen(faces: list[np.ndarray], truth: np.ndarray) -> np.ndarray | None:
    """The face whose 68 points' box overlaps that of the true points best."""
    if not faces:
        return None
    overlaps = [overlap(face[list(VERTICES), :2], truth) for face in faces]
    best = int(np.argmax(overlaps))
    return faces[best] if overlaps[best] >= MIN_OVERLAP else None


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two sets' bounding boxes."""
    low, high = np.maximum(a.min(0), b.min(0)), np.minimum(a.max(0), b.max(0))
    both = float(np.prod(np.maximum(high - low, 0.0)))
    return both / float(np.prod(np.ptp(a, axis=0)) + np.prod(np.ptp(b, axis=0)) - both)


def learn(mesh: Any, folder: Path, every: int) -> Callable[[np.ndarray], np.ndarray]:
    """From a mesh to 68 points as AFLW's labels have them."""
    with np.load(folder / "labels.npz") as labels:
        points = dict(zip(labels["name"].tolist(), labels["pts68_px"][..., :2], strict=True))
    wanted = set(sorted(points)[::every])
    rows, targets = [], []
    for path in sorted(folder.glob("*.tar")):
        for name, content in members(path):
            if name not in wanted:
                continue
            image = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            border = int(BORDER * ENLARGED * max(image.shape[:2]))
            large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
            large = cv2.copyMakeBorder(large, *(border,) * 4, cv2.BORDER_CONSTANT)
            face = chosen(meshes(mesh, large), points[name] * ENLARGED + border)
            if face is not None:
                rows.append(features(face))
                offsets = points[name] * ENLARGED + border - face[list(VERTICES), :2]
                targets.append((offsets / frame(face)[1]).reshape(-1))
    x, y = np.stack(rows), np.stack(targets)
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    print(f"learnt from {len(x)} of {len(wanted)} faces, the others were missed")

    def moved(face: np.ndarray) -> np.ndarray:
        _, size = frame(face)
        offsets = (features(face) @ weights).reshape(68, 2) * size
        return np.concatenate([face[list(VERTICES), :2] + offsets, face[list(VERTICES), 2:]], 1)

    return moved


def frame(face: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle of a mesh in the picture, and its size."""
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    return (low + high) / 2.0, float(np.sqrt(np.prod(high - low)))


def features(face: np.ndarray) -> np.ndarray:
    """All vertices in their frame, and a one."""
    center, size = frame(face)
    moved = (face - [*center, face[:, 2].mean()]) / size
    return np.append(moved.reshape(-1), 1.0)


def pictures(data: Path, only: set[str] | None) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names, pictures and true points of AFLW2000-3D."""
    from scipy.io import loadmat

    if data.is_dir():
        files = {path.name: path.read_bytes() for path in sorted(data.glob("image*"))}
    else:
        files = {name: content.tobytes() for name, content in members(data)}
    for name in sorted(files):
        if name.endswith(".jpg") and (only is None or name in only):
            pixels = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_COLOR)
            truth = loadmat(io.BytesIO(files[f"{name[:-4]}.mat"]))["pt3d_68"][:2].T
            yield name, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), truth


def members(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """File names and contents of a tar file."""
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield Path(member.name).name, np.frombuffer(file.read(), np.uint8)


def save(path: Path, names: list[str], faces: list[np.ndarray | None]) -> None:
    """The arrays of docs/how-to/evaluate-aflw2000.md, "Other methods"."""
    empty = np.zeros((68, 3))
    points = np.stack([empty if face is None else face for face in faces])
    missed = np.array([face is None for face in faces])
    np.savez(path, names=np.array(names), landmarks=points, missed=missed)


if __name__ == "__main__":
    main()
