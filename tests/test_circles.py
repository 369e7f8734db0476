"""No import circle in the package: those for types alone and inside functions count, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mlanet

PACKAGE = Path(mlanet.__file__).parent


def module_name(path: Path) -> str:
    words = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def imported(path: Path, modules: set[str]) -> set[str]:
    """The package's modules that a file names in any import statement, wherever that stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                found.add(member if member in modules else str(node.module))
        elif isinstance(node, ast.Dict):  # of names that are imported on first use
            found.update(
                str(value.value) for value in node.values if isinstance(value, ast.Constant)
            )
    return found & modules


def import_graph() -> dict[str, set[str]]:
    files = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    return {name: imported(path, set(files)) for name, path in files.items()}


def test_no_module_imports_itself_through_others() -> None:
    graph = import_graph()
    assert len(graph) > 150
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_lazy_and_type_only_imports_count(tmp_path: Path) -> None:
    source = tmp_path / "any.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mlanet.errors\n"
        "def later():\n    from mlanet import geometry\n    from mlanet.image import Crop\n"
        "LAZY = {'Crop': 'mlanet.files'}\n"
    )
    named = {"mlanet.errors", "mlanet.geometry", "mlanet.image", "mlanet.files"}
    assert imported(source, set(import_graph())) == named
