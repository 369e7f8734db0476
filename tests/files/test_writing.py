import os
import subprocess
import sys
import time

import pytest

from mlanet.files import atomic_folder, atomic_path, list_files, remove_leftovers

KILLED = """
import os, sys
from pathlib import Path
from mlanet.files import atomic_folder, atomic_path
target = Path(sys.argv[1])
with atomic_path(target / "mesh.obj") as file, atomic_folder(target / "photo") as folder:
    file.write_text("half")
    (folder / "face.json").write_text("half")
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_what_a_killed_process_leaves_is_hidden_and_goes_next_time(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    assert list_files(tmp_path, recursive=True) == []
    foreign = tmp_path / ".mlanet-notes"
    foreign.write_text("the user's own")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [foreign]


def test_what_is_being_written_stays(tmp_path):
    with atomic_path(tmp_path / "a.txt") as ours, atomic_folder(tmp_path / "b") as folder:
        ours.write_text("now")
        remove_leftovers(tmp_path)
        assert ours.exists()
        assert folder.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "b"}


def test_another_machines_files_are_left_for_a_day(tmp_path):
    file = tmp_path / f".mlanet-{'f' * 6}-1-{'0' * 8}-a.txt"
    file.write_text("")
    remove_leftovers(tmp_path)
    assert file.exists()
    old = time.time() - 90000
    os.utime(file, (old, old))
    remove_leftovers(tmp_path)
    assert not file.exists()


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "photo"

    def fail():
        with atomic_folder(target) as folder:
            (folder / "half").write_text("")
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "deep").iterdir()) == []
    with atomic_folder(target) as folder:
        (folder / "whole").write_text("")
    assert [path.name for path in target.iterdir()] == ["whole"]
    with pytest.raises(FileExistsError), atomic_folder(target) as folder:
        (folder / "second").write_text("")
    assert [path.name for path in target.iterdir()] == ["whole"]
    assert [path.name for path in target.parent.iterdir()] == ["photo"]


def test_the_longest_name_can_be_written(tmp_path):
    target = tmp_path / ("n" * 251 + ".obj")
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".obj"
        temporary.write_text("")
    assert list(tmp_path.iterdir()) == [target]
