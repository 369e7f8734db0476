"""What an installation has and lacks, and the command that adds it."""

import json
import re
import shlex
from functools import cache
from pathlib import Path

DEVELOPERS = ("dev", "docs", "test")
"""Extras that nobody needs who uses the package."""

SAME_MODULE = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino")}
"""Packages that bring what another one does, for other devices: one of them is enough."""

_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;.*?\bextra\s*==\s*['\"]([\w-]+)['\"])?")


def install_command(extra: str) -> str:
    """How to add an extra: from the checkout if mlanet was installed from one, else by name."""
    return f"pip install {shlex.quote(f'{_origin()}[{extra}]')}"


def package_versions() -> dict[str, str | None]:
    """Versions of the packages that mlanet needs, by name; None of missing ones."""
    return {name: _version(name) for name in _requirements().get("", ())}


def missing_extras() -> dict[str, tuple[str, ...]]:
    """The packages that are missing of each extra for users; empty where there is all."""
    return {
        extra: tuple(name for name in names if _version(name) is None)
        for extra, names in _requirements().items()
        if extra and extra not in DEVELOPERS
    }


@cache
def _requirements() -> dict[str, tuple[str, ...]]:
    """Names of the packages of each extra; under "" those that are always needed.

    Empty where mlanet is a folder on Python's path that was never installed.
    """
    from importlib.metadata import PackageNotFoundError, requires

    found: dict[str, list[str]] = {}
    try:
        lines = requires("mlanet") or []
    except PackageNotFoundError:
        lines = []
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is not None:
            found.setdefault(match[2] or "", []).append(match[1])
    return {extra: tuple(names) for extra, names in found.items()}


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    for name in (package, *SAME_MODULE.get(package, ())):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _origin() -> str:
    """The folder that pip was given (PEP 610) or that mlanet runs in, else the package's name."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    checkout = Path(__file__).parents[2]
    try:
        recorded = distribution("mlanet").read_text("direct_url.json")
        described = json.loads(recorded or "{}")
        if "dir_info" not in described:
            return "mlanet"
        checkout = Path(url2pathname(urlsplit(described["url"]).path))
    except PackageNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError):
        return "mlanet"
    if not (checkout / "pyproject.toml").is_file():
        return "mlanet"
    return "." if checkout.resolve() == Path.cwd() else str(checkout)
