"""Pickles of face models and data sets, read without running anything that they name.

A pickle is a program. Here each class or function that it may name is an inert stand-in of ours
that only remembers its arguments and its state; any other name is an error. Arrays are rebuilt
afterwards from what was remembered. Neither chumpy nor torch nor Python 2 is needed.
"""

import pickle
import re
import struct
from typing import IO, Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import MlanetError
from mlanet.files.parsing import parsing

_NUMERIC_TYPE = re.compile(r"[biuf]\d{1,2}")
"""Booleans and numbers, as NumPy's pickles name them: all that an array may hold."""


class Inert:
    """Stands in for a class or a function: remembers what it was given."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Inert":
        """Remember the arguments; some opcodes make objects without calling `__init__`."""
        found = super().__new__(cls)
        found.arguments = arguments
        found.state = None
        return found

    def __init__(self, *_arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reconstructed(Inert):
    """numpy's `_reconstruct` and `ndarray`: the array is in the state."""


class _Buffer(Inert):
    """numpy's `_frombuffer` of protocol 5: bytes, dtype, shape, order."""


class _DType(Inert):
    """numpy's `dtype`."""


class _Scalar(Inert):
    """numpy's `scalar`: dtype and bytes."""


class _Text(Inert):
    """`_codecs.encode`: text that stands for bytes, and its encoding."""


class _Instance(Inert):
    """`copyreg._reconstructor` of old protocols: class, base, base's state."""


class _Tensor(Inert):
    """torch's `_rebuild_tensor_v2`; not rebuilt, since no array that is needed is one."""


class _Chumpy(Inert):
    """Any class of chumpy."""

    kind: ClassVar[str] = ""


ALLOWED: dict[tuple[str, str], type[Inert]] = {
    **{
        (f"numpy.{core}.multiarray", name): kind
        for core in ("core", "_core")
        for name, kind in (("_reconstruct", _Reconstructed), ("scalar", _Scalar))
    },
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Buffer for core in ("core", "_core")},
    ("numpy", "ndarray"): _Reconstructed,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _Text,
    **{(module, "_reconstructor"): _Instance for module in ("copyreg", "copy_reg")},
    **{
        (module, name): Inert
        for module in ("builtins", "__builtin__")
        for name in ("object", "set", "frozenset", "bytearray")
    },
    ("collections", "OrderedDict"): Inert,
    **{
        (f"scipy.sparse{module}", f"{name}_matrix"): Inert
        for name in ("csc", "csr", "coo")
        for module in ("", f".{name}", f"._{name}")
    },
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch.storage", "_load_from_bytes"): Inert,
}
"""All names that a pickle may hold, beside the classes of chumpy."""


# The implementation in C allocates a table as long as the largest number that a pickle names,
# which takes all memory for a few bytes; the one in Python keeps a dictionary.
_Unpickler = pickle._Unpickler  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


def _load_bytearray8(reader: Any) -> None:
    """BYTEARRAY8 as far as the file goes; Python's own fills memory as long as the file claims."""
    (size,) = struct.unpack("<Q", reader.read(8))
    reader.append(bytearray(reader.read(size)))


def _load_setitem(reader: Any) -> None:
    """SETITEM with a plain key: Python's hash of deeply nested tuples ends the process."""
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.stack[-1][_plain(key)] = value


def _load_setitems(reader: Any) -> None:
    """SETITEMS, likewise."""
    items = reader.pop_mark()
    table = reader.stack[-1]
    for key, value in zip(items[::2], items[1::2], strict=True):
        table[_plain(key)] = value


def _load_dict(reader: Any) -> None:
    """DICT, likewise."""
    items = reader.pop_mark()
    pairs = zip(items[::2], items[1::2], strict=True)
    reader.append({_plain(key): value for key, value in pairs})


def _load_additems(reader: Any) -> None:
    """ADDITEMS, likewise."""
    items = reader.pop_mark()
    reader.stack[-1].update(map(_plain, items))


def _load_frozenset(reader: Any) -> None:
    """FROZENSET, likewise."""
    reader.append(frozenset(map(_plain, reader.pop_mark())))


def _plain(key: Any) -> Any:
    if key is not None and type(key) not in (str, bytes, int, float, bool):
        raise pickle.UnpicklingError(f"a key is a {type(key).__name__}")
    return key


class _Reader(_Unpickler):
    """An unpickler that knows the stand-ins only."""

    dispatch: ClassVar[dict[int, Any]] = {
        **_Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: _load_bytearray8,
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.DICT[0]: _load_dict,
        pickle.ADDITEMS[0]: _load_additems,
        pickle.FROZENSET[0]: _load_frozenset,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a name.

        Raises:
            UnpicklingError: there is none.
        """
        if module.split(".")[0] == "chumpy":
            return type(name, (_Chumpy,), {"kind": name})
        found = ALLOWED.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        """Nothing: no file that is read here refers to others.

        Raises:
            UnpicklingError: always.
        """
        raise pickle.UnpicklingError("it refers to an object outside of the file")


def load_pickle(file: IO[bytes], what: str, failure: type[MlanetError] = MlanetError) -> Any:
    """What a pickle holds, with stand-ins instead of objects; Python 2's text is latin-1.

    Args:
        file: where the pickle begins.
        what: how messages begin: the file, and what it should be.
        failure: the error to raise.

    Raises:
        MlanetError: of the class `failure`: the pickle is truncated, malformed or names something
            that is not allowed.
    """
    with parsing(what, "unreadable pickle", failure):
        return _Reader(file, encoding="latin1").load()


def as_array(value: Any) -> Shaped[np.ndarray, "..."]:
    """The numbers of an array, or of a chumpy object over one.

    Raises:
        ValueError: it holds none.
    """
    if isinstance(value, _Instance):
        value = _merged(value)
    if isinstance(value, _Chumpy):
        return _of_chumpy(value)
    if isinstance(value, _Buffer) and len(value.arguments) == 4:
        data, dtype, shape, order = value.arguments
        return _from_bytes(data, dtype, shape, order)
    if isinstance(value, _Reconstructed) and isinstance(value.state, tuple):
        _, shape, dtype, fortran, data = value.state
        return _from_bytes(data, dtype, shape, "F" if fortran else "C")
    raise ValueError("an entry holds no numbers")


def as_number(value: Any) -> float:
    """A number, be it Python's or NumPy's.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, _Scalar) and len(value.arguments) == 2:
        dtype, data = value.arguments
        return float(_from_bytes(data, dtype, (1,), "C")[0])
    if isinstance(value, int | float):
        return float(value)
    raise ValueError("an entry is no number")


def only_item(value: Any) -> Any:
    """The only element of an array of objects, or the value itself if it is a dictionary.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, _Reconstructed) and isinstance(value.state, tuple):
        content = value.state[-1]
        if isinstance(content, list) and len(content) == 1:
            value = content[0]
    if not isinstance(value, dict):
        raise ValueError("no dictionary")
    return value


def _merged(value: _Instance) -> Any:
    """An object of an old protocol: its class's stand-in with its state."""
    kind = value.arguments[0] if value.arguments else None
    if not (isinstance(kind, type) and issubclass(kind, Inert)):
        raise ValueError("an entry holds no numbers")
    found = kind()
    found.state = value.state
    return found


def _of_chumpy(value: _Chumpy) -> Shaped[np.ndarray, "..."]:
    """`Ch` holds its array as `x`; `Select` picks elements of another object."""
    state = value.state if isinstance(value.state, dict) else {}
    if "x" in state:
        return as_array(state["x"])
    if value.kind == "Select" and {"a", "idxs", "preferred_shape"} <= state.keys():
        shape = tuple(int(side) for side in state["preferred_shape"])
        return as_array(state["a"]).reshape(-1)[as_array(state["idxs"])].reshape(shape)
    raise ValueError(f"a chumpy object of kind {value.kind} is not understood")


def _from_bytes(data: Any, dtype: Any, shape: Any, order: str) -> Shaped[np.ndarray, "..."]:
    if isinstance(data, _Text):
        data = data.arguments[0]
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise ValueError("an array holds no numbers")
    found = np.frombuffer(data, dtype=_dtype(dtype))
    return found.reshape(tuple(int(side) for side in shape), order="F" if order == "F" else "C")


def _dtype(value: Any) -> np.dtype[Any]:
    if not isinstance(value, _DType) or not value.arguments:
        raise ValueError("an array is of no known type")
    name = value.arguments[0]
    if isinstance(name, bytes):
        name = name.decode("latin1")
    if not isinstance(name, str) or not _NUMERIC_TYPE.fullmatch(name):
        raise ValueError("an array holds no numbers")
    order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else "="
    return np.dtype(name).newbyteorder(order if order in ("<", ">") else "=")
