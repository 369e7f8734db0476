"""Are three photos of a person better than one? `same_person_gain`, in per cent.

    python benchmarks/same_person.py --data DATA [--json F] [--yaws -30 0 60]

The heads and pictures of the rendered-scan check (`mlanet evaluate scans`): two scans, 20 random
heads of FLAME Open. Each head is photographed once at each yaw, each time under the next light.
Every photo is reconstructed by itself, and all of a head's together by `join_person`; both without
and with `refine`. A photo's distance is that check's (point to plane, mm, expression included); a
joined person's is the mean over its photos, each with its own expression. `best_single` is the
lowest of the angles' means over heads: the angle is chosen once, not for each head.

    same_person_gain = 100 (1 - joined / best_single), like with like

`--own N` measures N heads of mlanet's own face model instead, drawn with another seed, which have
no part in any evaluation (`benchmarks/refinement.py` has them): settings are chosen on these.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from refinement import photographed, random_head

from mlanet import Reconstructor
from mlanet.evaluation.scans.known_heads import KnownHead, known_heads
from mlanet.evaluation.scans.portraits import Portrait
from mlanet.evaluation.scans.scoring import reconstruct_portrait
from mlanet.evaluation.surfaces.face_shape import FaceComparison
from mlanet.fitting import refine_face
from mlanet.morphable import AlbedoModel
from mlanet.person import join_person
from mlanet.reconstruction import Reconstruction

SEED = 991
BAR = 12.0


@dataclass(frozen=True)
class Options:
    """What to measure."""

    data: Path | None = None
    """Folder with scans and flame_open."""
    json: Path | None = None
    """File for the figures and for each head's distances."""
    yaws: tuple[float, ...] = (-30.0, 0.0, 60.0)
    lights: tuple[str, ...] = ("front", "left", "above")
    """Of the photos, in their order."""
    own: int = 0
    """Heads of mlanet's own face model instead of the scans and FLAME's."""
    first: int = 0
    """Leave out heads before this one."""
    count: int = 1000
    """Measure so many heads at most."""
    joined: tuple[Path, ...] = ()
    """Files of --json whose heads are put together instead of measuring any."""


def main(options: Options) -> None:
    """Print and write the figures."""
    rows: dict[str, dict[str, float]] = {}
    for file in options.joined:
        rows |= json.loads(file.read_text(encoding="utf-8"))["heads"]
    if not options.joined:
        measure(options, rows)
    for name, value in figures(rows).items():
        print(f"{name:36} {value:.3f}")


def measure(options: Options, rows: dict[str, dict[str, float]]) -> None:
    """Fill `rows` head by head; the file is written after each."""
    reconstructor = Reconstructor.load()
    compare = FaceComparison(reconstructor.model)

    def mm(head: KnownHead, *faces: Reconstruction) -> float:
        shapes = [(face.coefficients.identity, face.coefficients.expression) for face in faces]
        away = [compare.face(*shape).distance(head.surface, head.points) for shape in shapes]
        return float(np.mean([each.point_to_plane_mean_mm for each in away]))

    for number, (head, faces) in enumerate(photographed_heads(options, reconstructor, compare)):
        row: dict[str, float] = {}
        refined = [refine_face(face) for face in faces]
        for yaw, face, better in zip(options.yaws, faces, refined, strict=True):
            row[f"single_{yaw:+.0f}"] = mm(head, face)
            row[f"single_refined_{yaw:+.0f}"] = mm(head, better)
        row["joined"] = mm(head, *join_person(faces, refine=False))
        row["joined_refined"] = mm(head, *join_person(faces))
        rows[f"{number + options.first:02d} {head.name}"] = row
        print(head.name, {name: round(value, 3) for name, value in row.items()}, flush=True)
        if options.json is not None:
            content = {"figures": figures(rows), "heads": rows}
            options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def photographed_heads(
    options: Options, reconstructor: Reconstructor, compare: FaceComparison
) -> Iterator[tuple[KnownHead, list[Reconstruction]]]:
    """Heads with the reconstructions of their photos."""
    last = options.first + options.count
    if not options.own:
        assert options.data is not None, "give --data, or --own"
        heads = known_heads(options.data, reconstructor.model)
        for head in heads[options.first : last]:
            places = zip(options.yaws, options.lights, strict=True)
            portraits = [Portrait(head, yaw, light) for yaw, light in places]
            yield head, [reconstruct_portrait(reconstructor, p.draw(), p) for p in portraits]
        return
    colored = AlbedoModel.load().on(reconstructor.model)
    for k in range(options.first, min(options.own, last)):
        head = random_head(colored, compare, np.random.default_rng([SEED, k]))
        faces = []
        for j, yaw in enumerate(options.yaws):
            portrait = Portrait(head, yaw, "front")
            image = photographed(portrait, np.random.default_rng([SEED, k, j]))
            faces.append(reconstruct_portrait(reconstructor, image, portrait))
        yield head, faces


def figures(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Means over heads, and gains in per cent."""
    kept = list(rows.values())
    means = {name: float(np.mean([row[name] for row in kept])) for name in kept[0]}
    found = {"heads": float(len(kept))} | means
    for kind in ("", "_refined"):
        singles = [
            value
            for name, value in means.items()
            if name.startswith("single_") and ("refined" in name) == bool(kind)
        ]
        found[f"best_single{kind}"] = min(singles)
        found[f"same_person_gain{kind}"] = 100.0 * (1.0 - means[f"joined{kind}"] / min(singles))
    plain = found["best_single"]
    found["refined_over_plain_single"] = 100.0 * (1.0 - means["joined_refined"] / plain)
    return found


if __name__ == "__main__":
    main(tyro.cli(Options))
