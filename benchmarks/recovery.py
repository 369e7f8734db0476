"""What a network learns from rendered heads alone, measured on rendered heads it never saw.

    python benchmarks/recovery.py --out runs/recovery --backbone mobilenet_v2-b0353104.pth --json F

Draws `DRAWN` heads into the run's folder, trains `CONFIG` with them (each is seen several times,
mirrored and shifted; no photo takes part; a run that was stopped goes on), then reads `HEADS` heads
of another seed. Figures:

- `yaw_mae_deg`, `pitch_mae_deg`, `roll_mae_deg`: heads within ±90° of yaw, ±30° of pitch and roll.
  Within 10° of profile pitch and roll are hardly apart in this convention
  (docs/reference/conventions.md):
  `..._within_80` leaves these heads out. `..._yaw_last` are the angles of the same rotations as
  roll, then pitch, then yaw, which are apart within all of these ranges. `rotation_deg` is the mean
  angle between true and predicted rotation, whatever the convention.
- `light_deg`: median angle between true and predicted direction of the light, the first-order
  harmonics of its grey part.
- `skin_tone_mae_deg`: individual typology angle of the mean albedo of the face.
- `jaw_open`, `eye_blink`, `mouth_smile`: correlation of coefficients, mean of left and right;
  `eye_blink_without_glasses`: of the same faces without glasses, all of them or to 45° of yaw.
- `minutes`: of training steps, with `threads` of the network and one that reads; `minutes_drawing`
  (on one core, before) come on top.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from mlanet.cli.synthesize import heads
from mlanet.datasets import Sample
from mlanet.evaluation.groups import SkinTone
from mlanet.geometry import decode_pose, euler_from_matrix, viewer_from_camera
from mlanet.image import crop_square, square_from_landmarks
from mlanet.morphable import MorphableModel
from mlanet.network import MLANet
from mlanet.synthesis import HeadsConfig, RenderedHeads
from mlanet.training import (
    AugmentationConfig,
    BlockWeights,
    LossWeights,
    SourceConfig,
    Stage,
    TrainingConfig,
    train,
)
from mlanet.training.checkpoint import load_trained
from mlanet.training.loop import CHECKPOINT

DRAWN = 32_000
CONFIG = TrainingConfig(
    attention="none",
    fusion="none",
    steps=4400,
    batch_size=64,
    learning_rate=1e-3,
    stages=(Stage(0.5, 64), Stage(0.5, 96)),
    held_out=4000,
    frozen_stages=1,
    sources=(SourceConfig(folder="heads"),),
    augmentation=AugmentationConfig(
        rotation_deg=10.0,
        turned=0.0,
        shift=0.03,
        log_scale=0.04,
        color=0.0,
        grey=0.0,
        blur=0.0,
        motion=0.0,
        noise=0.0,
        occluder=0.0,
        cut=0.0,
    ),
    weights=LossWeights(
        landmarks=0.5,
        apertures=0.25,
        identity_prior=0.0,
        expression_prior=0.0,
        photometric=0.0,
        albedo_prior=0.0,
        light=0.0,
        light_prior=0.0,
        standardized_coefficients=1.0,
    ),
    block_weights=BlockWeights(
        identity=0.3, expression=40.0, albedo=60.0, rotation=40.0, translation=3.0, lighting=10.0
    ),
)
HEADS, SEED = 1000, 12345
NEAR_PROFILE_DEG, FRONT_DEG = 80.0, 45.0

BARS = {"yaw_mae_deg": 3.0, "pitch_mae_deg": 3.0, "roll_mae_deg": 3.0, "light_deg": 20.0,
        "skin_tone_mae_deg": 10.0,
        "jaw_open": 0.8, "eye_blink": 0.8, "mouth_smile": 0.8}  # fmt: skip
AT_LEAST = ("jaw_open", "eye_blink", "mouth_smile")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    minutes_drawing = draw(options.out)
    train(CONFIG, data=options.out, out=options.out, backbone=options.backbone)
    figures = {"minutes": minutes_of(options.out), "minutes_drawing": minutes_drawing}
    figures["threads"] = float(options.threads)
    figures |= measure(options.out / CHECKPOINT)
    for name, value in figures.items():
        sign = "at least" if name in AT_LEAST else "at most"
        bar = f"  (bar: {sign} {BARS[name]:g})" if name in BARS else ""
        print(f"{name:26} {value:8.3f}{bar}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def draw(out: Path) -> float:
    """Draw the heads to train with; minutes of processor time that it took."""
    noted = out / "drawing.json"
    if not noted.exists():
        start = time.process_time()
        heads(out=out / "heads", count=DRAWN, seed=CONFIG.seed)
        minutes = (time.process_time() - start) / 60
        noted.write_text(json.dumps({"minutes": minutes}) + "\n", encoding="utf-8")
    return float(json.loads(noted.read_text(encoding="utf-8"))["minutes"])


def minutes_of(out: Path) -> float:
    """Minutes that the steps of a run took, whether or not it was stopped in between."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    speeds = {line["step"]: line["images_per_s"] for line in lines if "images_per_s" in line}
    steps = sorted(speeds)
    spans = np.diff([0, *steps])
    return (
        float(sum(n * CONFIG.batch_size / speeds[k] for n, k in zip(spans, steps, strict=True)))
        / 60
    )


def measure(checkpoint: Path) -> dict[str, float]:
    """Figures of the averaged weights, at the crop size that they were last trained with."""
    network, model = load_trained(checkpoint).network, MorphableModel.load()
    found, truth = answers(network, RenderedHeads(model, count=HEADS, seed=SEED))
    both = predicted, wanted = [model.layout.split(vectors) for vectors in (found, truth)]
    matrices = [decode_pose(part.rotation, part.translation).rotation for part in both]
    angles = [np.degrees(euler_from_matrix(each)) for each in matrices]
    error = np.abs((angles[0] - angles[1] + 180.0) % 360.0 - 180.0)
    away = np.abs(angles[1][:, 1]) < NEAR_PROFILE_DEG
    last = [yaw_last_deg(each) for each in matrices]
    error_last = np.abs((last[0] - last[1] + 180.0) % 360.0 - 180.0)
    cosine = (np.einsum("nij,nij->n", *matrices) - 1.0) / 2.0
    figures = {"rotation_deg": float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())}
    for place, name in enumerate(("pitch", "yaw", "roll")):
        figures[f"{name}_mae_deg_yaw_last"] = float(error_last[:, place].mean())
        figures[f"{name}_mae_deg"] = float(error[:, place].mean())
        figures[f"{name}_mae_deg_within_80"] = float(error[away, place].mean())
    directions = [light_direction(part.lighting) for part in both]
    figures["light_deg"] = float(np.median(between_deg(*directions)))
    tone = SkinTone(model)
    tones = [
        np.array([tone(model.layout.split(vector)) for vector in vectors])
        for vectors in (found, truth)
    ]
    figures["skin_tone_mae_deg"] = float(np.abs(tones[0] - tones[1]).mean())
    for name, stem in (("jaw_open", "jawOpen"), ("eye_blink", "eyeBlink"),
                       ("mouth_smile", "mouthSmile")):  # fmt: skip
        figures[name] = correlation(model, stem, predicted.expression, wanted.expression)
    bare = RenderedHeads(model, count=HEADS, seed=SEED, config=HeadsConfig(glasses=0.0))
    seen, shown = (model.layout.split(vectors).expression for vectors in answers(network, bare))
    figures["eye_blink_without_glasses"] = correlation(model, "eyeBlink", seen, shown)
    front = np.abs(angles[1][:, 1]) < FRONT_DEG  # the same faces in the same poses
    figures["eye_blink_without_glasses_within_45"] = correlation(
        model, "eyeBlink", seen[front], shown[front]
    )
    return figures


@torch.no_grad()
def answers(network: MLANet, unseen: RenderedHeads) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true coefficient vectors of heads."""
    samples = [unseen[index] for index in range(len(unseen))]
    crops = np.stack([cropped(sample, CONFIG.stages[-1].input_size) for sample in samples])
    images = torch.from_numpy(crops.transpose(0, 3, 1, 2).copy()).float() / 255.0
    found = np.concatenate([network(part).numpy() for part in images.split(100)])
    return found, np.stack([np.asarray(sample.coefficients) for sample in samples])


def correlation(model: MorphableModel, stem: str, found: np.ndarray, truth: np.ndarray) -> float:
    """Of coefficients (n, e) with their true values, mean of the modes of this name's start."""
    places = [k for k, mode in enumerate(model.expression_names) if mode.startswith(stem)]
    return float(np.mean([np.corrcoef(found[:, k], truth[:, k])[0, 1] for k in places]))


def cropped(sample: Sample, size: int) -> np.ndarray:
    """The evaluation protocol's crop of a head."""
    assert sample.landmarks_px is not None
    return crop_square(sample.image, square_from_landmarks(sample.landmarks_px), size).image


def yaw_last_deg(rotation: np.ndarray) -> np.ndarray:
    """Pitch, yaw and roll (n, 3) of rotations taken apart as Ry·Rx·Rz instead of Rx·Ry·Rz."""
    matrix = viewer_from_camera(rotation)  # y up
    pitch = np.arcsin(np.clip(matrix[:, 1, 2], -1.0, 1.0))
    yaw = np.arctan2(-matrix[:, 0, 2], matrix[:, 2, 2])
    roll = np.arctan2(-matrix[:, 1, 0], matrix[:, 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], axis=1))


def light_direction(lighting: np.ndarray) -> np.ndarray:
    """Unit vectors (n, 3) towards the light: harmonics 3, 1 and 2 are x, y and z."""
    first = lighting.reshape(-1, 9, 3).mean(axis=2)[:, [3, 1, 2]]
    return first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)


def between_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles (n,) between unit vectors (n, 3)."""
    return np.degrees(np.arccos(np.clip((first * second).sum(axis=1), -1.0, 1.0)))


if __name__ == "__main__":
    main()
