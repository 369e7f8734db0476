"""The cache of compiled loops: used when it is whole, and never in the way."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
from numba.core import config

from mlanet.errors import CacheWarning
from mlanet.geometry import compiling

SOURCE = """
from mlanet.geometry.compiling import compiled

@compiled
def doubled(value):
    return 2 * value

@compiled
def total(values):
    found = 0.0
    for value in values:
        found += doubled(value)
    return found
"""


@pytest.fixture
def loops(tmp_path, monkeypatch):
    """`loops()` is the module with two compiled functions as a new process would import it."""
    source = tmp_path / "loops.py"
    source.write_text(SOURCE)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # which tells changes by the second

    def fresh():
        monkeypatch.setattr(compiling, "_told", [])
        spec = importlib.util.spec_from_file_location("loops", source)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "loops", module)
        spec.loader.exec_module(module)
        return module

    return fresh


@pytest.fixture
def kept(loops, tmp_path):
    """The files of both functions for a whole number and for a tuple of floats."""
    assert call(loops()) == (6, 7.0)
    files = sorted((tmp_path / "cache").rglob("*.nbc"))
    assert len(files) == 3  # doubled for both kinds of numbers, and total
    return files


@pytest.fixture
def lines(recwarn):
    """`lines()`: what was said of the cache so far."""
    return lambda: [str(w.message) for w in recwarn if issubclass(w.category, CacheWarning)]


def call(module):
    return module.doubled(3), module.total((1.5, 2.0))


def hits(function):
    return sum(function.stats.cache_hits.values())


def test_what_is_kept_is_used_again(loops, kept, lines):
    module = loops()
    assert call(module) == (6, 7.0)
    assert (hits(module.doubled), hits(module.total)) == (1, 1)
    assert lines() == []


def test_another_process_uses_it_without_a_word(kept, tmp_path):
    code = "import loops; print(loops.doubled(3), sum(loops.doubled.stats.cache_hits.values()))"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["6", "1"]
    assert done.stderr == ""


def test_kept_loops_have_memory_and_mathematics_in_a_process_that_compiles_nothing(tmp_path):
    (tmp_path / "larger.py").write_text(
        "import numpy as np\n"
        "from mlanet.geometry.compiling import compiled\n\n"
        "@compiled\n"
        "def roots(count):\n"
        "    found = np.empty(count, dtype=np.float32)\n"
        "    for i in range(count):\n"
        "        found[i] = np.sqrt(i) + np.exp(0.0) + np.arctan2(0.0, 1.0)\n"
        "    return found\n"
    )
    code = (
        "import larger; print(larger.roots(5).sum(), sum(larger.roots.stats.cache_hits.values()))"
    )
    run = [sys.executable, "-c", code]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    printed = [
        subprocess.run(
            run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert [hits for _, hits in printed] == ["0", "1"]
    assert printed[0][0] == printed[1][0]


def flipped(content):
    """One bit of the machine code, which numba itself would run as it is."""
    place = len(content) - len(content) // 4
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: b"\x80\x05garbage" * 100,
        flipped,
    ],
    ids=["empty", "cut", "one byte short", "garbage", "one bit"],
)
def test_damaged_files_are_made_again_with_one_warning(loops, kept, lines, recwarn, damage):
    whole = [path.read_bytes() for path in kept]
    for path, content in zip(kept, whole, strict=True):
        path.write_bytes(damage(content))
    assert call(loops()) == (6, 7.0)
    (line,) = lines()
    assert "damaged or of another numba" in line
    assert line.startswith(tuple(str(path) for path in kept))
    recwarn.clear()
    module = loops()
    assert call(module) == (6, 7.0)
    assert hits(module.total) == 1
    assert lines() == []


def test_files_of_another_numba_are_made_again(loops, kept, lines, monkeypatch):
    monkeypatch.setattr(compiling.numba, "__version__", "0.1")
    module = loops()
    assert call(module) == (6, 7.0)
    assert hits(module.total) == 0
    assert len(lines()) == 1


def test_a_changed_function_is_compiled_without_a_word(loops, kept, lines, tmp_path):
    (tmp_path / "loops.py").write_text(SOURCE.replace("2 * value", "3 * value"))
    assert call(loops()) == (9, 10.5)
    assert lines() == []
    assert sorted((tmp_path / "cache").rglob("*.nbc")) == kept


def test_what_is_whole_but_no_loop_is_not_used(loops, kept, lines):
    body = compiling.dumps("something else")
    for path in kept:
        path.write_bytes(compiling._digest(body) + body)
    assert call(loops()) == (6, 7.0)
    assert len(lines()) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("obstacle", ["folder", "pipe"])
def test_what_is_no_file_is_not_read(loops, kept, obstacle):
    for path in kept:
        path.unlink()
        path.mkdir() if obstacle == "folder" else os.mkfifo(path)
    assert call(loops()) == (6, 7.0)


def test_a_folder_that_vanishes_is_made_again(loops, tmp_path, lines):
    module = loops()
    assert module.doubled(3) == 6
    shutil.rmtree(tmp_path / "cache")
    assert module.total((1.5, 2.0)) == 7.0
    assert list((tmp_path / "cache").rglob("*.nbc"))
    assert lines() == []


def test_a_full_disk_is_one_warning(loops, tmp_path, lines):
    resource = pytest.importorskip("resource", reason="Windows limits no sizes of files")
    module = loops()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        found = call(module)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found == (6, 7.0)
    (line,) = lines()
    assert "cannot be kept" in line
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_without_any_folder_loops_are_kept_in_memory(loops, tmp_path, lines, monkeypatch):
    """Neither the named folder, nor the one beside the source, nor the user's can be made."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "__pycache__").write_text("")
    assert call(loops()) == (6, 7.0)
    (line,) = lines()
    assert "NUMBA_CACHE_DIR" in line


def test_what_a_killed_process_left_is_removed(loops, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    module = loops()
    module.doubled(3)
    (folder,) = (tmp_path / "cache").iterdir()
    from mlanet.files import writing

    left = folder / f".mlanet-{writing._machine()}-{ended.pid}-0123abcd-a.nbc"
    left.write_bytes(b"half")
    module.total((1.5, 2.0))
    assert not left.exists()


def test_flush_forgets(loops, kept):
    module = loops()
    module.doubled._cache.flush()
    assert len([path for path in kept if path.exists()]) == 1
