"""The command line: one module a verb."""

import sys
from collections.abc import Callable, Sequence

from mlanet.errors import MlanetError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


def verbs() -> dict[str, Callable[..., int]]:
    """The verbs by name; their modules import nothing heavy."""
    from mlanet.cli import evaluate, export, reconstruct, train

    return {
        "reconstruct": reconstruct.reconstruct,
        "evaluate aflw2000": evaluate.aflw2000,
        "train": train.train,
        "export": export.export,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and exit with its status; errors of mlanet become one line on stderr.

    Exit status: 0 all done, 1 something failed and is named on stderr, 2 wrong usage.
    """
    import tyro

    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from mlanet import __version__

        print(f"mlanet {__version__}")
        sys.exit(EXIT_OK)
    try:
        status = tyro.extras.subcommand_cli_from_dict(
            verbs(),
            prog="mlanet",
            description="One photo in, a textured 3D face out.",
            args=given,
        )
    except MlanetError as error:
        print(f"mlanet: {error}", file=sys.stderr)
        status = EXIT_FAILED
    except OSError as error:
        print(f"mlanet: {error}", file=sys.stderr)
        status = EXIT_FAILED
    except KeyboardInterrupt:
        print("mlanet: interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)
