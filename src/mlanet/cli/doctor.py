"""`mlanet doctor`: whether this installation works, and what it has."""

import json as json_text
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, described, say
from mlanet.extras import install_command, missing_extras, package_versions
from mlanet.version import __version__

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

INSIDE = 0.8
"""Least share of the example's landmarks that must lie in its detected box."""


@dataclass(slots=True)
class Findings:
    """What was found of the installation; `problems` are broken things, a line each."""

    mlanet: str = __version__
    weights: str = ""
    python: str = platform.python_version()
    system: str = field(default_factory=platform.platform)
    folder: str = str(Path(__file__).parents[1])
    packages: dict[str, str | None] = field(default_factory=dict)
    threads: dict[str, str | int | None] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    extras: dict[str, dict[str, Any]] = field(default_factory=dict)
    self_test: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def attempt(self, what: str, check: Callable[["Findings"], None]) -> None:
        """Run a check; what it raises is a problem."""
        try:
            check(self)
        except Exception as error:  # whatever is broken, the rest is looked at
            self.problems.append(f"{what}: {described(error)}")


def doctor(*, json: bool = False) -> int:
    """Check this installation: versions, threads, files that ship, extras, a face.

    The example photo is reconstructed and drawn; nothing is written.

    Args:
        json: Print one JSON object instead of lines.

    Returns:
        Exit status: 1 if something is broken; a missing extra is not.
    """
    found = Findings()
    found.attempt("packages", _packages)
    found.attempt("onnxruntime", _devices)
    found.attempt("assets", _assets)
    found.attempt("the example photo", _self_test)
    if json:
        say(json_text.dumps(asdict(found) | {"ok": not found.problems}))
    else:
        for line in lines_of(found):
            say(line)
    return EXIT_FAILED if found.problems else EXIT_OK


def lines_of(found: Findings) -> list[str]:
    """The findings for people."""
    settings = ", ".join(f"{name}={value}" for name, value in found.threads.items() if value)
    lines = [
        f"mlanet     {found.mlanet} in {found.folder}",
        f"weights    {found.weights or 'missing'}",
        f"python     {found.python}, {sys.executable}",
        f"system     {found.system}",
        f"threads    {settings}",
        "packages   " + ", ".join(f"{name} {v or 'missing'}" for name, v in found.packages.items()),
    ]
    lines += [
        f"device     {name}: {state if state == 'ready' else f'not here ({state})'}"
        for name, state in found.devices.items()
    ]
    lines += [f"asset      {name}: {state}" for name, state in found.assets.items()]
    for extra, state in found.extras.items():
        said = "installed"
        if state["missing"]:
            said = f"{', '.join(state['missing'])} missing; {state['install']}"
        lines.append(f"extra      {extra}: {said}")
    if found.self_test:
        test = found.self_test
        lines.append(f"self-test  {test['faces']} face in {test['seconds']:.1f} s")
    lines += [f"PROBLEM    {problem}" for problem in found.problems]
    return [*lines, "something is broken" if found.problems else "everything works"]


def _packages(found: Findings) -> None:
    found.packages = package_versions()
    found.threads = {"cpus": os.cpu_count()}
    found.threads |= {name: os.environ.get(name) for name in THREAD_VARIABLES}
    found.problems += [
        f"the package {name} is missing: {install_command('').replace('[]', '')}"
        for name, version in found.packages.items()
        if version is None
    ]
    for extra, missing in missing_extras().items():
        found.extras[extra] = {"missing": list(missing)}
        if missing:
            found.extras[extra]["install"] = install_command(extra)


def _devices(found: Findings) -> None:
    from mlanet.sessions import device_states

    found.devices = device_states()


def _assets(found: Findings) -> None:
    from mlanet.assets import asset_records, verified_path
    from mlanet.errors import AssetError

    records = asset_records()
    found.weights = records["mobile"].version
    for name, record in records.items():
        try:
            verified_path(name)
            found.assets[name] = f"ok, sha256 {record.sha256}"
        except AssetError as error:
            found.assets[name] = "FAILED"
            found.problems.append(str(error))


def _self_test(found: Findings) -> None:
    """Reconstruct and draw the photo that ships, which shows one person."""
    from mlanet.assets import verified_path
    from mlanet.errors import NoFaceError, RenderError
    from mlanet.reconstructor import Reconstructor

    start = time.perf_counter()
    faces = Reconstructor.load()(verified_path("example-image"))
    if len(faces) != 1 or faces[0].detection is None:
        raise NoFaceError(f"{len(faces)} faces found, there is 1")
    left, top, right, bottom = faces[0].detection.box_px
    x, y = faces[0].landmarks_px[:, :2].T
    inside = ((left < x) & (x < right) & (top < y) & (y < bottom)).mean()
    if not inside >= INSIDE:
        raise NoFaceError(f"{inside:.0%} of the landmarks lie in the box of the face")
    if not faces[0].mask().any():
        raise RenderError("the head is drawn nowhere")
    found.self_test = {"faces": len(faces), "seconds": round(time.perf_counter() - start, 3)}
