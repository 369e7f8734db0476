"""How loops are compiled, and where they are kept.

Importing this module imports numba; do it inside functions. The cache of compiled loops is a help,
never a need: whatever is wrong with it, the loops are compiled again and the user is told once.
"""

import pickle
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import dumps

from mlanet.errors import CacheWarning
from mlanet.files import atomic_path, one_line, remove_leftovers

_DIGEST_BYTES = 32

_told: list[str] = []
"""The one warning of the cache that this process has given, if any."""


def compiled(function: Callable[..., Any]) -> Any:
    """`njit`, cached on disk where some folder can be written and in memory otherwise.

    The folder is the one that numba chooses: the one named by NUMBA_CACHE_DIR, `__pycache__`
    beside the source, or the user's cache.
    """
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    try:
        dispatcher._cache = LoopCache(function)
    except (RuntimeError, OSError):  # RuntimeError is numba's: no folder can be written
        _tell(
            "no folder for compiled loops can be written, so that every run compiles them: "
            "name one in NUMBA_CACHE_DIR"
        )
    return dispatcher


class LoopCache(FunctionCache):
    """numba's cache of a function, in files that are checked before they are trusted.

    One file for each signature: the SHA-256 of numba's version and the content, then the content,
    a pickle. The sum tells damage, which numba would meet as an error of any kind or, in the
    machine code, not at all. It is no signature: who may write into the folder may run code.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function of a signature; None if there is none that can be used.

        numba would declare all that it can compile first, which takes longer than all the rest.
        What is compiled needs its memory alone; loops that hash text or run on threads of numba's
        would need more.
        """
        rtsys.initialize(target_context)
        path = self._path(sig, target_context.codegen())
        if not path.is_file():
            return None
        try:
            content = path.read_bytes()
            body = content[_DIGEST_BYTES:]
            if content[:_DIGEST_BYTES] != _digest(body):
                raise ValueError("damaged or of another numba")
            stamp, reduced = pickle.loads(body)
            if stamp != self._stamp(sig, target_context.codegen()):
                return None
            return self._impl.rebuild(target_context, reduced)
        except Exception as error:  # whatever it is, compiling is the answer
            return _tell(f"{path}: compiled anew, since it is of no use ({_reason(error)})")

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function; where that cannot be done, it is kept in memory only."""
        path = self._path(sig, data.codegen)
        try:
            if not self._impl.check_cachable(data):
                return
            body = dumps((self._stamp(sig, data.codegen), self._impl.reduce(data)))
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path.parent)
            with atomic_path(path) as unfinished:
                unfinished.write_bytes(_digest(body) + body)
        except Exception as error:  # whatever it is, the function itself is there
            _tell(f"{path}: compiled loops cannot be kept ({_reason(error)})")

    def flush(self) -> None:
        """Forget what is kept."""
        for path in Path(self.cache_path).glob(f"{self._impl.filename_base}.*.nbc"):
            path.unlink(missing_ok=True)

    def _path(self, sig: Any, codegen: Any) -> Path:
        """One name for each signature and processor; other code of the function replaces it."""
        name = sha256(repr((sig, codegen.magic_tuple())).encode()).hexdigest()[:16]
        return Path(self.cache_path, f"{self._impl.filename_base}.{name}.nbc")

    def _stamp(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (self._index_key(sig, codegen), self._impl.locator.get_source_stamp())


def _digest(body: bytes) -> bytes:
    return sha256(numba.__version__.encode() + b"\0" + body).digest()


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or one_line(error)


def _tell(line: str) -> None:
    if not _told:
        _told.append(line)
        warnings.warn(line, CacheWarning, stacklevel=2)
