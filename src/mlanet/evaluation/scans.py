"""The rendered-scan check: known heads photographed, reconstructed and compared in mm.

It follows the distance of MICC Florence's protocol, but it is not that benchmark: the pictures
are rendered, and most of the heads are random samples of ICT-FaceKit.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.detection import Detection
from mlanet.evaluation.comparison import FaceComparison
from mlanet.evaluation.known_heads import KnownHead
from mlanet.evaluation.portraits import (
    LIGHTS,
    YAWS_DEG,
    draw_portrait,
    portrait_box,
    portrait_landmarks,
)
from mlanet.evaluation.scan_report import HeadBaseline, PortraitResult, ScanReport
from mlanet.geometry import bounding_box, box_iou
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor

MIN_IOU = 0.2
"""A detection is of the head if its box overlaps the landmarks' box this much."""


def evaluate_scans(
    reconstructor: Reconstructor,
    heads: Sequence[KnownHead],
    *,
    yaws_deg: Sequence[float] = YAWS_DEG,
    lights: Sequence[str] = tuple(LIGHTS),
    refine: Callable[[Reconstruction], Reconstruction] | None = None,
    versions: Mapping[str, str] | None = None,
    method: str = "mlanet",
    progress: Callable[[int, int], None] | None = None,
) -> ScanReport:
    """Reconstruct every head from every angle under every light.

    A head that the detector misses is cut by its true landmarks and counted.

    Args:
        reconstructor: detector, network and face model.
        heads: what is photographed; `known_heads` makes them.
        yaws_deg: angles about the vertical.
        lights: names in `LIGHTS`.
        refine: changes each reconstruction before it is measured.
        versions: of weights and assets, copied into the report.
        method: name of what is tested, for the report.
        progress: called with (pictures done, pictures in all).
    """
    compare = FaceComparison(reconstructor.model)
    results: list[PortraitResult] = []
    baselines: list[HeadBaseline] = []
    total = len(heads) * len(yaws_deg) * len(lights)
    started = time.perf_counter()
    for head in heads:
        mean = compare.distance(head.surface, head.points)
        baselines.append(HeadBaseline(head.name, head.kind, mean.point_to_plane_mean_mm))
        for yaw in yaws_deg:
            for light in lights:
                image = draw_portrait(head, yaw, light)
                face = reconstruct_portrait(reconstructor, image, head, yaw)
                missed = face.detection is None
                if refine is not None:
                    face = refine(face)
                found = compare.distance(
                    head.surface,
                    head.points,
                    face.coefficients.identity,
                    face.coefficients.expression,
                )
                results.append(PortraitResult.of(head, yaw, light, missed, found))
                if progress is not None:
                    progress(len(results), total)
    return ScanReport(
        results=tuple(results),
        baselines=tuple(baselines),
        refined=refine is not None,
        seconds=time.perf_counter() - started,
        versions=dict(versions or {}),
        method=method,
    )


def reconstruct_portrait(
    reconstructor: Reconstructor,
    image: UInt8[np.ndarray, "h w 3"],
    head: KnownHead,
    yaw_deg: float,
) -> Reconstruction:
    """The head's face; its `detection` is None if the detector missed it."""
    truth = portrait_landmarks(head, yaw_deg)
    best = _best(reconstructor.detect(image), truth)
    if best is None:
        return reconstructor.predict_in_box(image, portrait_box(head, yaw_deg))
    return reconstructor.reconstruct_detection(image, best)


def _best(detections: Sequence[Detection], truth: Float[np.ndarray, "68 2"]) -> Detection | None:
    if not detections:
        return None
    boxes = np.stack([detection.box_px for detection in detections]).astype(np.float64)
    overlap = box_iou(boxes, bounding_box(truth)[None])[:, 0]
    best = int(overlap.argmax())
    return detections[best] if overlap[best] >= MIN_IOU else None
