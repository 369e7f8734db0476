"""Medians of rasterising, drawing and texturing a head-sized mesh on one thread.

python benchmarks/render.py --json render.json
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from mlanet.geometry import Camera, Mesh, MeshTopology, Pose
from mlanet.render import UvAtlas, composite, project_texture, rasterize, render_mesh


@dataclass(frozen=True)
class Options:
    """What to measure."""

    json: Path | None = None
    """File for the medians in milliseconds."""
    repeats: int = 30


def egg(rows: int = 95, columns: int = 96) -> Mesh:
    """A closed head-sized ellipsoid (mm) with a cylindrical UV: 2 · (rows - 1) · columns faces."""
    u, v = np.meshgrid(np.linspace(0.0, 1.0, columns + 1), np.linspace(0.01, 0.99, rows))
    around, down = 2.0 * np.pi * (u - 0.5), np.pi * v
    ring = np.stack(
        [
            75.0 * np.sin(around) * np.sin(down),
            -110.0 * np.cos(down),
            95.0 * np.cos(around) * np.sin(down),
        ],
        axis=-1,
    )
    index = np.arange(rows * (columns + 1), dtype=np.int32).reshape(rows, columns + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    quads = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    return Mesh(ring.reshape(-1, 3), quads, uv=np.stack([u, v], -1).reshape(-1, 2), uv_faces=quads)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median wall time after two calls that compile and warm up."""
    work(), work()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def measure(repeats: int) -> dict[str, float]:
    """Medians in milliseconds by name."""
    cv2.setNumThreads(1)
    mesh = egg()
    topology = MeshTopology(mesh.faces, len(mesh.vertices))
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1200.0]))
    vertices = pose.apply(mesh.vertices)
    crop, portrait = Camera.of_crop(224), Camera.of_crop(450)
    projected = crop.project(vertices)
    photo = np.random.default_rng(0).integers(0, 256, (450, 450, 3)).astype(np.uint8)
    large = np.zeros((3000, 4000, 3), dtype=np.uint8)
    in_large = Camera(portrait.focal_length_px, (2000.0, 1500.0))
    atlas = UvAtlas.of_mesh(mesh, 512)
    rendering = render_mesh(mesh, pose, in_large, large.shape[:2], topology=topology)
    work: dict[str, Callable[[], object]] = {
        "rasterize_ms": lambda: rasterize(projected, mesh.faces, (224, 224)),
        "render_450_ms": lambda: render_mesh(mesh, pose, portrait, (450, 450), topology=topology),
        "render_450_hard_ms": lambda: render_mesh(
            mesh, pose, portrait, (450, 450), topology=topology, soft_outlines=False
        ),
        "render_in_4000x3000_ms": lambda: render_mesh(
            mesh, pose, in_large, large.shape[:2], topology=topology
        ),
        "composite_4000x3000_ms": lambda: composite(rendering, large),
        "atlas_512_ms": lambda: UvAtlas.of_mesh(mesh, 512),
        "texture_512_ms": lambda: project_texture(
            photo, vertices, mesh, portrait, atlas, topology=topology
        ),
    }
    return {name: median_ms(call, repeats) for name, call in work.items()}


def main(options: Options) -> None:
    """Print the table and write the file."""
    medians = measure(options.repeats)
    table = Table(title=f"{len(egg().faces):,} triangles, one thread, median of {options.repeats}")
    table.add_column("work")
    table.add_column("ms", justify="right")
    for name, value in medians.items():
        table.add_row(name.removesuffix("_ms"), f"{value:.2f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(medians, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
