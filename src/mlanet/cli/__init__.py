"""The command line: one module a verb."""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import tyro

from mlanet.cli.common import (
    DEBUG,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PIPE_CLOSED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    complain,
    described,
)
from mlanet.cli.configuration import ConfiguredVerb
from mlanet.cli.listing import hint, overview, overview_of_group
from mlanet.cli.parsing import call
from mlanet.cli.streams import WatchedStdout, quiet_libraries
from mlanet.errors import UsageError, did_you_mean


def verbs() -> "dict[str, Callable[..., int] | ConfiguredVerb]":
    """The verbs by name; their modules import nothing heavy. Two words make a group.

    `mlanet.cli.listing.FIRST` names those that the list begins with.
    """
    from mlanet.cli import (
        ablate,
        animate,
        batch,
        dataset,
        demo,
        doctor,
        export,
        fit,
        label,
        live,
        models,
        reconstruct,
        synthesize,
        train,
        video,
        view,
    )
    from mlanet.cli.evaluate import (
        aflw2000,
        compare,
        expressions,
        florence,
        identity,
        occlusion,
        portraits,
        scans,
        submissions,
    )

    return {
        "reconstruct": reconstruct.reconstruct,
        "view": view.view,
        "video": video.video,
        "live": live.live,
        "animate": animate.animate,
        "batch": batch.batch,
        "demo": demo.demo,
        "fit": fit.fit,
        "doctor": doctor.doctor,
        "label": label.label,
        "evaluate aflw2000": aflw2000.aflw2000,
        "evaluate florence": florence.florence,
        "evaluate scans": scans.scans,
        "evaluate identity": identity.identity,
        "evaluate occlusion": occlusion.occlusion,
        "evaluate expressions": expressions.expressions,
        "evaluate portraits": portraits.portraits,
        "evaluate now": submissions.now,
        "evaluate realy": submissions.realy,
        "evaluate compare": compare.compare,
        "train": ConfiguredVerb(train.train, train.configuration_of),
        "ablate": ConfiguredVerb(ablate.ablate, ablate.base_of),
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
    """Run a verb and exit with its status; every error becomes one line on stderr.

    `--debug`, anywhere among the words, adds the traceback and what other libraries say.

    Exit status: 0 all done, 1 something failed and is named on stderr, 2 wrong usage, 130
    interrupted, 141 nobody reads standard output any more, 143 terminated.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG.set("--debug" in given)
    try:
        with quiet_libraries():
            status = _status_of([word for word in given if word != "--debug"])
    finally:
        DEBUG.reset(debug)
    sys.exit(status)


def _status_of(given: list[str]) -> int:
    """Run a verb; what went wrong is said here, and nowhere above."""
    status, failure = EXIT_FAILED, None
    with WatchedStdout() as output:
        try:
            status = run(given)
        except SystemExit as stop:  # tyro printed help
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Terminated as error:
            complain("terminated", error)
            status = EXIT_TERMINATED
        except KeyboardInterrupt as error:
            complain("interrupted", error)
            status = EXIT_INTERRUPTED
        except Exception as error:
            failure = error
    if isinstance(output.error, BrokenPipeError):
        return EXIT_PIPE_CLOSED
    if output.error is not None and (failure is None or isinstance(failure, OSError)):
        complain(f"cannot write to standard output: {output.error.strerror}", output.error)
        return EXIT_FAILED
    if failure is not None:
        complain(described(failure), failure)
        return EXIT_USAGE if isinstance(failure, UsageError) else EXIT_FAILED
    return status


def run(given: list[str]) -> int:
    """Parse the words of a command and run its verb.

    Raises:
        UsageError: the verb is unknown, or a group's verb is missing or unknown; or the other words
            do not fit the verb.
        SystemExit: tyro printed help.
    """
    if given in (["--version"], ["-V"], ["version"]):
        from mlanet import __version__

        print(f"mlanet {__version__}")
        return EXIT_OK
    if given[:1] == ["help"]:
        given = [*given[1:], "--help"]
    known = verbs()
    name = " ".join(given[:2])
    if name in known:
        return _run_verb(known[name], f"mlanet {name}", given[2:])
    if given and given[0] in known:
        return _run_verb(known[given[0]], f"mlanet {given[0]}", given[1:])
    if not given or given[0] in ("--help", "-h"):
        print(overview(known), file=None if given else sys.stderr)
        return EXIT_OK if given else EXIT_USAGE
    if given[0].startswith("-"):
        raise UsageError(f"a verb comes first, then its options: {given[0]} is none")
    members = [verb.split()[1] for verb in known if verb.startswith(f"{given[0]} ")]
    if not members:
        meant = hint(given[0], known) or "; mlanet --help lists all"
        raise UsageError(f"there is no verb {given[0]!r}{meant}")
    if given[1:] in (["--help"], ["-h"]):
        print(overview_of_group(given[0], known))
        return EXIT_OK
    if len(given) == 1 or given[1].startswith("-"):
        raise UsageError(f"{given[0]} needs one of: {', '.join(members)}")
    near = did_you_mean(given[1], members)
    raise UsageError(f"{given[0]} has no {given[1]!r} among {', '.join(members)}{near}")


def _run_verb(verb: Callable[..., int] | ConfiguredVerb, prog: str, words: list[str]) -> int:
    if isinstance(verb, ConfiguredVerb):  # whose flags may have to be switched off again
        return call(verb.ready(words, prog), prog, words)
    if {"-h", "--help"} & set(words):
        from mlanet.cli.descriptions import reflow

        reflow(verb)
    return call(verb, prog, words, config=(tyro.conf.FlagCreatePairsOff,))


class Terminated(BaseException):
    """SIGTERM, as an exception, so that files which are being written are cleaned away."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
