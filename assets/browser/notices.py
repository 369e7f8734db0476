"""The licences of all that the browser's page bundles, as one text."""

import importlib.util
import json
from pathlib import Path

HEADINGS = ("CenterFace", "Astronaut", "Face model", "Photographic albedo")
"""Beginnings of NOTICE's sections about what the page holds."""


def notices(root: Path, web: Path) -> str:
    """Those of mlanet, of NOTICE's sections that apply, of three.js and of onnxruntime.

    npm's onnxruntime-web has no file of its licence: it is built of the same sources as the
    package of PyPI, which has, together with the notices of what is compiled in.
    """
    return (
        "\n\n".join(
            f"{'=' * 79}\n{title}\n{'=' * 79}\n\n{text.strip()}"
            for title, text in (
                ("mlanet, https://arxiv.org/abs/2509.10024", (root / "LICENSE").read_text()),
                ("What mlanet ships", _sections((root / "NOTICE").read_text(encoding="utf-8"))),
                (f"three.js {_version(web, 'three')}, https://threejs.org", _licence(web, "three")),
                (
                    f"onnxruntime-web {_version(web, 'onnxruntime-web')}, https://onnxruntime.ai",
                    _of_onnxruntime("LICENSE"),
                ),
                ("What onnxruntime holds", _of_onnxruntime("ThirdPartyNotices.txt")),
            )
        )
        + "\n"
    )


def _sections(notice: str) -> str:
    """The sections of NOTICE whose headings begin as those of `HEADINGS`."""
    lines = notice.splitlines()
    starts = [k - 1 for k, line in enumerate(lines) if k and line and set(line) == {"-"}]
    ends = [*starts[1:], len(lines)]
    kept = [
        "\n".join(lines[start:end]).strip()
        for start, end in zip(starts, ends, strict=True)
        if lines[start].startswith(HEADINGS)
    ]
    if len(kept) != len(HEADINGS):
        raise ValueError(f"NOTICE must have a section for each of {HEADINGS}")
    return "\n\n".join(kept)


def _version(web: Path, package: str) -> str:
    described = json.loads((web / "node_modules" / package / "package.json").read_text())
    return str(described["version"])


def _licence(web: Path, package: str) -> str:
    return (web / "node_modules" / package / "LICENSE").read_text(encoding="utf-8")


def _of_onnxruntime(file: str) -> str:
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        raise SystemExit("onnxruntime is not installed")
    return (Path(spec.origin).parent / file).read_text(encoding="utf-8", errors="replace")
