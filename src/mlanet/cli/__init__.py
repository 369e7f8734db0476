"""The command line: one module a verb."""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from mlanet.cli.status import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from mlanet.errors import MlanetError, UsageError


def verbs() -> dict[str, Callable[..., int]]:
    """The verbs by name; their modules import nothing heavy. Two words make a group."""
    from mlanet.cli import (
        ablate,
        dataset,
        evaluate,
        evaluate_people,
        evaluate_scans,
        evaluate_submissions,
        export,
        fit,
        label,
        models,
        reconstruct,
        synthesize,
        train,
    )

    return {
        "reconstruct": reconstruct.reconstruct,
        "fit": fit.fit,
        "label": label.label,
        "evaluate aflw2000": evaluate.aflw2000,
        "evaluate florence": evaluate_scans.florence,
        "evaluate scans": evaluate_scans.scans,
        "evaluate identity": evaluate_people.identity,
        "evaluate occlusion": evaluate_people.occlusion,
        "evaluate now": evaluate_submissions.now,
        "evaluate realy": evaluate_submissions.realy,
        "evaluate compare": evaluate.compare,
        "train": train.train,
        "ablate": ablate.ablate,
        "synthesize heads": synthesize.heads,
        "synthesize profiles": synthesize.profiles,
        "dataset check": dataset.check,
        "dataset shards": dataset.shards,
        "export": export.export,
        "models list": models.list_models,
        "models info": models.info,
        "models convert": models.convert,
        "models sheet": models.sheet,
        "models verify": models.verify,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and exit with its status; errors of mlanet become one line on stderr.

    Exit status: 0 all done, 1 something failed and is named on stderr, 2 wrong usage.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = run(given)
    except UsageError as error:
        print(f"mlanet: {error}", file=sys.stderr)
        status = EXIT_USAGE
    except (MlanetError, OSError) as error:
        print(f"mlanet: {error}", file=sys.stderr)
        status = EXIT_FAILED
    except KeyboardInterrupt:
        print("mlanet: interrupted", file=sys.stderr)
        status = EXIT_INTERRUPTED
    sys.exit(status)


def run(given: list[str]) -> int:
    """Parse the words of a command and run its verb.

    Raises:
        UsageError: a group's verb is missing or unknown.
        SystemExit: tyro printed help or what is wrong.
    """
    import tyro

    style = (tyro.conf.FlagCreatePairsOff,)
    if given == ["--version"]:
        from mlanet import __version__

        print(f"mlanet {__version__}")
        return EXIT_OK
    known = verbs()
    name = " ".join(given[:2])
    if name in known:
        return tyro.cli(known[name], prog=f"mlanet {name}", args=given[2:], config=style)
    members = [verb.split()[1] for verb in known if given and verb.startswith(f"{given[0]} ")]
    if members:
        if given[1:] in (["--help"], ["-h"]):
            print(f"usage: mlanet {given[0]} {{{','.join(members)}}} [OPTIONS]")
            return EXIT_OK
        raise UsageError(f"{given[0]} needs one of: {', '.join(members)}")
    return tyro.extras.subcommand_cli_from_dict(
        known,
        prog="mlanet",
        description="One photo in, a textured 3D face out. --version prints the version.",
        args=given,
        config=style,
    )


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Leave by an exception, so that files which are being written are cleaned away."""
    sys.exit(128 + number)
