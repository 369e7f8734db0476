"""Samples: readers of annotated and of plain pictures. Nothing here imports torch."""

from mlanet.datasets.aflw2000 import AFLW2000, AFLW2000Parameters
from mlanet.datasets.aflw2000_annotations import (
    REANNOTATED_NAME,
    AFLW2000Annotations,
    AnnotationKind,
    protocol_boxes,
    read_annotations,
)
from mlanet.datasets.archive import TarIndex
from mlanet.datasets.crops import FaceCrops
from mlanet.datasets.dataset import (
    BROKEN,
    Dataset,
    Sample,
    SampleSequence,
    SkippedSamples,
    read_samples,
)
from mlanet.datasets.layouts import Layout, open_dataset, register_layout
from mlanet.datasets.parameters import FaceParameters, Placement
from mlanet.datasets.photos import PhotoFolder
from mlanet.datasets.shards import Shards
from mlanet.datasets.threeddfa import ThreeDDFALists, ThreeDDFAParameters
from mlanet.datasets.w300lp import W300LP, LandmarkFile
from mlanet.datasets.writing import Written, write_shards

__all__ = [
    "AFLW2000",
    "BROKEN",
    "REANNOTATED_NAME",
    "W300LP",
    "AFLW2000Annotations",
    "AFLW2000Parameters",
    "AnnotationKind",
    "Dataset",
    "FaceCrops",
    "FaceParameters",
    "LandmarkFile",
    "Layout",
    "PhotoFolder",
    "Placement",
    "Sample",
    "SampleSequence",
    "Shards",
    "SkippedSamples",
    "TarIndex",
    "ThreeDDFALists",
    "ThreeDDFAParameters",
    "Written",
    "open_dataset",
    "protocol_boxes",
    "read_annotations",
    "read_samples",
    "register_layout",
    "write_shards",
]
