"""What the verbs share: exit statuses, lines for the user, checks of options, progress."""

import os
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from mlanet.errors import MlanetError, UsageError
from mlanet.extras import install_command
from mlanet.files import one_line, printable

if TYPE_CHECKING:
    from mlanet.datasets import SkippedSamples

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
"""128 and the number of SIGPIPE, as of programs that the signal ends."""

EXIT_TERMINATED = 143

JawOption: TypeAlias = Literal["auto", "contour", "surface"]
"""What the 17 points of the jaw are."""

OutPath: TypeAlias = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
"""What a command writes: `--out`, or `-o`."""

Flag: TypeAlias = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
"""An option without a value, off unless it is given."""

SomePath: TypeAlias = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
SomeText: TypeAlias = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="")]
SomeInt: TypeAlias = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
SomeFloat: TypeAlias = Annotated[
    float | None, tyro.conf.arg(metavar="FLOAT", help_behavior_hint="")
]
"""Options without a default; their descriptions say what holds without them."""

DEBUG: ContextVar[bool] = ContextVar("DEBUG", default=False)
"""Whether tracebacks and other libraries' words are shown: `--debug`."""


def say(line: str) -> None:
    """A line on standard output, at once.

    Raises:
        OSError: it cannot be written there.
    """
    print(printable(line), flush=True)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 photo`, `2,000 photos`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def say_aside(line: str) -> None:
    """A line on stderr that is no result and no complaint."""
    print(line, file=sys.stderr, flush=True)


def complain(text: str, error: BaseException | None = None) -> None:
    """A line on standard error; with `--debug` the error's traceback follows."""
    with suppress(OSError, ValueError):  # a closed stream: nobody is left to be told
        print(f"mlanet: {printable(text)}", file=sys.stderr, flush=True)
        if error is not None and DEBUG.get():
            traceback.print_exception(error)


def described(error: BaseException) -> str:
    """An error as one line that names the file at fault, if it is known."""
    if isinstance(error, MlanetError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {one_line(error)}"


def check_min_score(min_score: float | None) -> None:
    """Refuse a score that leaves every face or none.

    Raises:
        UsageError: it does not lie between 0 and 1.
    """
    if min_score is not None and not 0.0 < min_score < 1.0:
        raise UsageError(f"--min-score must lie between 0 and 1, got {min_score:g}")


def positive(**options: int) -> None:
    """See that options count something.

    Raises:
        UsageError: one of them is below 1; the message names it.
    """
    for name, value in options.items():
        if value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be positive, got {value}")


def require_extra(purpose: str, *packages: str, extra: str = "train") -> None:
    """Say in one line what to install where packages are missing.

    Raises:
        UsageError: one of the packages is not installed.
    """
    if any(find_spec(name) is None for name in packages):
        raise UsageError(f"{purpose} needs: {install_command(extra)}")


def require_torch() -> None:
    """`require_extra` of what fits faces to pixels."""
    require_extra("fitting to pixels", "torch")


def require_surfaces() -> None:
    """`require_extra` of what compares surfaces."""
    require_extra("comparing surfaces", "scipy", extra="evaluate")


def check_folder(name: str, folder: Path) -> None:
    """Nothing, if the folder can be written to or made; it is left as it is.

    Args:
        name: what the message calls it, such as `--out`.
        folder: absolute or relative.

    Raises:
        UsageError: it is a file or lies below one, or there is no permission.
    """
    _check(name, folder, folder)


def check_file(name: str, file: Path) -> None:
    """Nothing, if the file can be written or replaced; it is left as it is.

    Args:
        name: what the message calls it, such as `--save-predictions`.
        file: absolute or relative.

    Raises:
        UsageError: it is a folder, or its folder cannot be written to or made.
    """
    if file.is_dir():
        raise UsageError(f"{name} {file} is a folder, not a file")
    _check(name, file, file.parent)


def _check(name: str, path: Path, folder: Path) -> None:
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    what = f"{name} {path}" if place == path else f"{name} {path}: {place}"
    if not place.is_dir():
        kind = "a link that leads nowhere" if place.is_symlink() else "a file, not a folder"
        raise UsageError(f"{what} is {kind}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"{what}: no permission to write there")


@contextmanager
def progress_bar(name: str) -> Generator[Callable[[int, int], None], None, None]:
    """A bar on stderr while it is needed, and what moves it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def count_up(done: int, total: int, what: str = "") -> None:
    """How far a run is, on one line of a terminal; nothing where stderr is none."""
    if sys.stderr.isatty():
        print(f"\r{what}{done} of {total}", end="\n" if done == total else "", file=sys.stderr)


def name_skipped(skipped: "SkippedSamples") -> None:
    """A line on stderr for each sample that could not be read."""
    for line in skipped.lines():
        print(line, file=sys.stderr)
