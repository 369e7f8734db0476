"""Times of drawing, and ratios to another renderer, another backend and a training step.

    python benchmarks/render.py --json render.json

Needs the `dev` extra. Two threads where nothing else is said. Timings to be compared are taken in
turns; every figure is a median.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # docs/explanation/renderer.md

import cv2
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from mlanet.geometry import Camera, Mesh, MeshTopology, Pose, matrix_from_euler
from mlanet.morphable import load_model
from mlanet.render import Renderer, UvAtlas, composite, key_light, rasterize, render_mesh
from mlanet.texturing import project_texture

THREADS = 2
BARS = {
    "rasterize_ms": ("at most", 1.6),
    "forward_backward_over_deodr": ("at most", 0.5),
    "thread_scaling": ("at least", 1.7),
    "share_of_training_step": ("at most", 0.25),
    "torch_over_numba": ("at most", 12.0),
    "peak_mb": ("at most", 300.0),
}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    json: Path | None = None
    """File for the figures."""
    repeats: int = 30
    memory_only: bool = False
    """Print the peak memory of one batch and stop; the benchmark calls itself so."""


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


def medians_ms(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median wall times of works done in turns, after two calls that compile and warm up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 2):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn > 1:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) * 1e3 for name, found in times.items()}


def at_threads(count: int, work: Callable[[], object]) -> Callable[[], object]:
    """The work with torch at a number of threads."""

    def call() -> None:
        torch.set_num_threads(count)
        work()
        torch.set_num_threads(THREADS)

    return call


def head_on(size: int) -> tuple[Mesh, MeshTopology, Pose, Camera]:
    """The egg 1.2 m before a crop's camera."""
    mesh = egg()
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1200.0]))
    return mesh, MeshTopology(mesh.faces, len(mesh.vertices)), pose, Camera.of_crop(size)


def our_step(size: int = 224) -> Callable[[], object]:
    """Project, light, rasterise, interpolate, blend outlines and the gradients of it all."""
    mesh, topology, pose, camera = head_on(size)
    renderer = Renderer(topology, (size, size), normals=False)
    vertices = torch.from_numpy(mesh.vertices).float()
    colors = torch.full_like(vertices, 0.6)
    lighting = torch.from_numpy(key_light())
    motion = Pose(
        torch.from_numpy(pose.rotation).float(), torch.from_numpy(pose.translation).float()
    )
    weights = torch.rand((size, size, 3), generator=torch.Generator().manual_seed(0))

    def step() -> None:
        leaves = [tensor.clone().requires_grad_() for tensor in (vertices, lighting, colors)]
        found = renderer(leaves[0], motion, camera, leaves[1], albedo=leaves[2])
        (found.image * weights).sum().backward()

    return step


def overdraw_step(size: int = 224) -> Callable[[], object]:
    """The same by deodr: an ambient and a directional light on the same mesh and camera."""
    from deodr import ColoredTriMesh
    from deodr.differentiable_renderer import PerspectiveCamera, Scene3D

    mesh, topology, pose, camera = head_on(size)
    colors = np.full_like(mesh.vertices, 0.6)
    drawn = ColoredTriMesh(
        topology.faces.copy(), mesh.vertices.copy(), clockwise=False, colors=colors
    )
    field_of_view = float(np.degrees(2.0 * np.arctan(size / 2.0 / camera.focal_length_px)))
    view = PerspectiveCamera(
        width=size,
        height=size,
        fov=field_of_view,
        camera_center=-pose.rotation.T @ pose.translation,
        rot=pose.rotation,
    )
    scene = Scene3D(sigma=1.0, integer_pixel_centers=False)
    scene.set_mesh(drawn)
    scene.set_light(light_directional=np.array([-0.2, -0.2, -0.4]), light_ambient=0.4)
    scene.set_background_color(np.zeros(3))
    weights = np.random.default_rng(0).uniform(size=(size, size, 3))

    def step() -> None:
        drawn.set_vertices(drawn.vertices.copy())
        image = scene.render(view)
        assert image.max() > 0.2
        scene.clear_gradients()
        scene.render_backward(weights.copy())

    return step


def batch_step(count: int, size: int = 128) -> Callable[[], object]:
    """Heads of the embedded model, all vertices, as training draws them: both directions."""
    model = load_model()
    rng = np.random.default_rng(0)
    layout = model.layout
    vertices = torch.from_numpy(
        model.vertices(
            rng.normal(size=(count, layout.identity)) * 0.5,
            rng.uniform(0.0, 0.2, (count, layout.expression)),
        )
    ).float()
    rotation = matrix_from_euler(rng.normal(size=(count, 3)) * [0.2, 0.5, 0.2])
    translation = torch.tensor([0.0, 0.0, 1000.0]).repeat(count, 1)
    pose = Pose(torch.from_numpy(rotation).float(), translation)
    albedo = torch.from_numpy(model.albedo(np.zeros((count, layout.albedo)))).float()
    lighting = torch.from_numpy(np.tile(key_light(), (count, 1, 1)))
    renderer = Renderer(model.topology, (size, size), normals=False)
    weights = torch.rand((count, size, size, 3), generator=torch.Generator().manual_seed(0))

    def step() -> None:
        leaves = [tensor.clone().requires_grad_() for tensor in (vertices, lighting, albedo)]
        found = renderer(leaves[0], pose, Camera.of_crop(size), leaves[1], albedo=leaves[2])
        (found.image * weights).sum().backward()

    return step


def training_step() -> Callable[[], object]:
    """A supervised step of the preset `mobile` on 64 crops of 128 px."""
    from mlanet.datasets import Sample
    from mlanet.training import Stage, TrainingConfig
    from mlanet.training.learner import Learner
    from mlanet.training.samples import Samples

    config = TrainingConfig(stages=(Stage(1.0, 128),))
    learner = Learner.start(config)
    rng = np.random.default_rng(0)
    layout = learner.objective.face.layout
    samples = [
        Sample(
            "noise",
            rng.integers(0, 256, (128, 128, 3)).astype(np.uint8),
            rng.uniform(20.0, 100.0, (68, 3)).astype(np.float32),
        )
        for _ in range(64)
    ]
    batch = Samples.cat([Samples.of(sample, layout) for sample in samples])
    return lambda: learner.step(0, batch)


def peak_mb(count: int = 32) -> float:
    """Largest memory of a batch of 128 x 128 in both directions, over that before it (Linux)."""
    torch.set_num_threads(THREADS)
    batch_step(1)()
    step = batch_step(count)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = resident_mb("VmRSS")
    step()
    return resident_mb("VmHWM") - before


def resident_mb(kind: str) -> float:
    """Resident memory (VmRSS) or its peak (VmHWM) of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024.0


def drawing_ms(repeats: int) -> dict[str, float]:
    """Drawing and texturing for inference, on one thread."""
    cv2.setNumThreads(1)
    mesh, topology, pose, _ = head_on(450)
    portrait = Camera.of_crop(450)
    photo = np.random.default_rng(0).integers(0, 256, (450, 450, 3)).astype(np.uint8)
    large = np.zeros((3000, 4000, 3), dtype=np.uint8)
    in_large = Camera(portrait.focal_length_px, (2000.0, 1500.0))
    atlas = UvAtlas.of_mesh(mesh, 512)
    rendering = render_mesh(mesh, pose, in_large, large.shape[:2], topology=topology)
    vertices = pose.apply(mesh.vertices)
    return medians_ms(
        {
            "render_450_ms": lambda: render_mesh(
                mesh, pose, portrait, (450, 450), topology=topology
            ),
            "render_in_4000x3000_ms": lambda: render_mesh(
                mesh, pose, in_large, large.shape[:2], topology=topology
            ),
            "composite_4000x3000_ms": lambda: composite(rendering, large),
            "atlas_512_ms": lambda: UvAtlas.of_mesh(mesh, 512),
            "texture_512_ms": lambda: project_texture(
                photo, vertices, mesh, portrait, atlas, topology=topology
            ),
        },
        max(repeats // 3, 3),
    )


def measure(repeats: int) -> dict[str, Any]:
    """All figures by name."""
    torch.set_num_threads(THREADS)
    mesh, _, pose, camera = head_on(224)
    projected = camera.project(pose.apply(mesh.vertices))
    tensors = torch.from_numpy(projected)
    size = (224, 224)
    found = medians_ms({"ours": our_step(), "deodr": overdraw_step()}, repeats) | medians_ms(
        {
            "rasterize_ms": lambda: rasterize(projected, mesh.faces, size),
            "numba": lambda: rasterize(tensors, mesh.faces, size, backend="numba"),
            "torch": lambda: rasterize(tensors, mesh.faces, size, backend="torch"),
        },
        repeats,
    )
    many = torch.from_numpy(np.repeat(projected[None], 32, axis=0)).float()
    whole = batch_step(32)
    draw = lambda: rasterize(many, mesh.faces, size)  # noqa: E731
    slow = medians_ms(
        {
            "rasterize 1": at_threads(1, draw),
            "rasterize 2": at_threads(2, draw),
            "whole 1": at_threads(1, whole),
            "whole 2": at_threads(2, whole),
            "render 64": batch_step(64),
            "training step": training_step(),
        },
        max(repeats // 4, 3),
    )
    memory = subprocess.run(
        [sys.executable, __file__, "--memory-only"], capture_output=True, text=True, check=True
    )
    return {
        "rasterize_ms": found["rasterize_ms"],
        "forward_backward_ms": found["ours"],
        "forward_backward_over_deodr": found["ours"] / found["deodr"],
        "thread_scaling": slow["rasterize 1"] / slow["rasterize 2"],
        "thread_scaling_forward_backward": slow["whole 1"] / slow["whole 2"],
        "batch_64_forward_backward_ms": slow["render 64"],
        "share_of_training_step": slow["render 64"] / slow["training step"],
        "torch_over_numba": found["torch"] / found["numba"],
        "peak_mb": float(memory.stdout),
    } | drawing_ms(repeats)


def main(options: Options) -> None:
    """Print the table and write the file."""
    if options.memory_only:
        print(peak_mb())
        return
    figures = measure(options.repeats)
    title = f"{len(egg().faces):,} triangles at 224 px; 24,704 of the face model at 128 px"
    table = Table(title=title)
    for column in ("figure", "measured", "bar"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, value in figures.items():
        kind, limit = BARS.get(name, ("", None))
        table.add_row(name, f"{value:.2f}", "" if limit is None else f"{kind} {limit:g}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
