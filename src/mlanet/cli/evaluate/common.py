"""Options and steps that the protocols share."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import tyro

from mlanet.cli.common import SomePath, check_folder, positive, say
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.datasets import AFLW2000, AFLW2000Annotations
    from mlanet.evaluation import Report
    from mlanet.evaluation.surfaces.mesh_folder import MeshFolder
    from mlanet.morphable import MorphableModel


@dataclass(frozen=True, slots=True)
class Network:
    """The network that is evaluated."""

    weights: SomePath = None
    """A network of your own, written by mlanet export."""

    threads: int = 1
    """CPU threads, or images that are worked on at once."""

    def check(self) -> None:
        """Refuse what contradicts itself."""
        positive(threads=self.threads)

    @property
    def label(self) -> str:
        """What the report calls it."""
        return "mlanet"

    def versions(self) -> dict[str, str]:
        """What the figures depend on: versions of what ships, hashes of the user's files."""
        from mlanet import __version__
        from mlanet.assets import asset_records

        versions = {"mlanet": __version__}
        versions |= {name: record.version for name, record in asset_records().items()}
        return versions if self.weights is None else versions | {"mobile": named_file(self.weights)}


@dataclass(frozen=True, slots=True)
class Method(Network):
    """What is evaluated: a network, or another method's answers."""

    predictions: SomePath = None
    """Score another method's answers instead of a network: a file or folder, which the
    protocol's page in docs/how-to describes."""

    name: str = ""
    """What the report calls the network or method."""

    def check(self) -> None:
        """Refuse what contradicts itself."""
        Network.check(self)
        if self.predictions is not None and self.weights is not None:
            raise UsageError("--predictions come with their own weights")

    def versions(self) -> dict[str, str]:
        """What the figures depend on: versions of what ships, hashes of the user's files."""
        versions, given = Network.versions(self), self.predictions
        if given is not None:
            del versions["mobile"]
            versions["predictions"] = named_file(given) if given.is_file() else given.resolve().name
        return versions

    @property
    def label(self) -> str:
        """Its name if it has one, else that of its file or folder, else ours."""
        if self.name or self.predictions is None:
            return self.name or "mlanet"
        is_file = self.predictions.is_file()
        return self.predictions.stem if is_file else self.predictions.resolve().name


NetworkOptions: TypeAlias = Annotated[Network, tyro.conf.OmitArgPrefixes]
MethodOptions: TypeAlias = Annotated[Method, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True, slots=True)
class AFLW2000Files:
    """The pictures and their annotations."""

    data: Path
    """Folder of AFLW2000-3D (imageNNNNN.jpg and .mat), or its tar file."""

    annotations: SomePath = None
    """AFLW2000-3D-Reannotated.pts68.npy of 3DDFA, for --annotation reannotated; or an npz file of
    both annotations (docs/how-to/evaluate-aflw2000.md). Without it the data set's .mat files are
    all that is read."""

    only: SomePath = None
    """A text file with names of pictures (image00002.jpg), one a line: evaluate these alone, of
    whatever the other two hold."""

    def load(self) -> "tuple[AFLW2000, AFLW2000Annotations]":
        """The data set, and the annotations of the pictures that are evaluated."""
        from mlanet.datasets import AFLW2000, read_annotations
        from mlanet.evaluation.aflw2000.scoring import only_named

        dataset = AFLW2000(self.data)
        truth = read_annotations(self.annotations, dataset)
        return dataset, truth if self.only is None else only_named(truth, self.only)


AFLW2000Options: TypeAlias = Annotated[AFLW2000Files, tyro.conf.OmitArgPrefixes]


@dataclass(frozen=True, slots=True)
class ExchangeFiles:
    """Files for and of other methods."""

    save_predictions: SomePath = None
    """Also write the faces that were scored into this folder, in the format of --predictions."""

    write_pictures: SomePath = None
    """Write the pictures into this folder for other methods, and nothing else."""

    def check(self, method: Method, out: Path | None, *, needs_out: bool = True) -> None:
        """Refuse options that contradict themselves, and places that cannot be written to."""
        given = out, method.weights, method.predictions
        if self.write_pictures is not None and given != (None, None, None):
            raise UsageError(
                "--write-pictures measures nothing: no --out, --weights, --predictions"
            )
        if needs_out and self.write_pictures is None and out is None:
            raise UsageError("--out is needed: a folder for the report")
        method.check()
        places = {
            "--out": out,
            "--save-predictions": self.save_predictions,
            "--write-pictures": self.write_pictures,
        }
        for option, folder in places.items():
            if folder is not None:
                check_folder(option, folder)


ExchangeOptions: TypeAlias = Annotated[ExchangeFiles, tyro.conf.OmitArgPrefixes]


def given_meshes(
    folder: Path, model: "MorphableModel", names: Sequence[str], *, missed_too: bool
) -> "tuple[MeshFolder, dict[str, str]]":
    """Another method's meshes, and their version: the hash of all of them."""
    from mlanet.evaluation.surfaces.mesh_folder import MeshFolder

    meshes = MeshFolder.open(folder, model.landmarks.mean, names, missed_too=missed_too)
    return meshes, {"predictions": f"{folder.name}, sha256 {meshes.digest(names)}"}


def signed(
    report: "Report",
    method: Network,
    started: float,
    versions: Mapping[str, str] | None = None,
) -> "Report":
    """The report with the method's name and versions (and more of them), and the run's seconds.

    `started` is what `time.perf_counter` said before the run.
    """
    return replace(
        report,
        method=method.label,
        versions=method.versions() | dict(versions or {}),
        conditions={**report.conditions, "seconds": round(time.perf_counter() - started, 3)},
    )


def publish(report: "Report", out: Path | None, more: Sequence[Path] = ()) -> None:
    """Write a report if there is a folder for it, print it, and say what was written."""
    from mlanet.evaluation.reporting.page import print_page

    written = [] if out is None else [*report.write(out), *more]
    print_page(report.page)
    if written:
        say(f"{written[0]}, {', '.join(path.name for path in written[1:])} written")


def named_file(path: Path) -> str:
    """A file of the user's for `versions`: its name and hash."""
    return f"{path.name}, sha256 {sha256(path.read_bytes()).hexdigest()}"
