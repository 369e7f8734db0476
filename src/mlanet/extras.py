"""What an installation lacks, and the command that adds it."""

import json


def install_command(extra: str) -> str:
    """How to add an extra: for an installation from a checkout in that folder, else by name."""
    return f"pip install '{_origin()}[{extra}]'"


def _origin() -> str:
    """`.` if pip was given a folder (PEP 610), else the package's name."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import

    try:
        recorded = distribution("mlanet").read_text("direct_url.json")
        described = json.loads(recorded or "{}")
        return "." if "dir_info" in described else "mlanet"
    except (PackageNotFoundError, OSError, ValueError, TypeError):
        return "mlanet"
