"""What verbs need beyond the bare install."""

from importlib.util import find_spec

from mlanet.errors import UsageError
from mlanet.extras import install_command


def require_torch() -> None:
    """Say in one line what to install where torch is missing.

    Raises:
        UsageError: torch is not installed.
    """
    if find_spec("torch") is None:
        raise UsageError(f"fitting to pixels needs: {install_command('train')}")
