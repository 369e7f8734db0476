"""Which faces verbs look for, and with which networks."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import tyro

from mlanet.cli.common import SomeFloat, SomeInt, SomePath, check_min_score, positive
from mlanet.sessions import DeviceName


@dataclass(frozen=True, slots=True)
class Faces:
    """Which faces of a photo."""

    max_faces: SomeInt = None
    """Keep only the largest faces of a photo."""

    min_score: SomeFloat = None
    """What a face's score must exceed, between 0 and 1. Without it, the detector's own limit
    (docs/explanation/detection.md)."""

    def check(self) -> None:
        """Refuse numbers that leave no face."""
        if self.max_faces is not None:
            positive(max_faces=self.max_faces)
        check_min_score(self.min_score)


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks and face models of the user's, and what runs them."""

    weights: SomePath = None
    """A network of your own, written by mlanet export."""

    model: SomePath = None
    """The face model whose coefficients it regresses, if it is not the embedded one."""

    device: DeviceName = "auto"
    """What runs the network: auto is a GPU of NVIDIA's where onnxruntime has it, else the CPU
    (docs/how-to/devices.md)."""


FacesOptions: TypeAlias = Annotated[Faces, tyro.conf.OmitArgPrefixes]
NetworksOptions: TypeAlias = Annotated[Networks, tyro.conf.OmitArgPrefixes]
