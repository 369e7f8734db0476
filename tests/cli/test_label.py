import numpy as np
import pytest

from mlanet.cli import label as module
from mlanet.cli.label import label
from mlanet.errors import UsageError
from mlanet.morphable import MorphableModel


@pytest.fixture
def folder(tmp_path):
    points = MorphableModel.load().landmarks.mean * [1.0, -1.0, 1.0] + [200.0, 200.0, 0.0]
    many = np.stack([points, points * 1.1, np.full_like(points, 3.0)]).astype(np.float32)
    np.savez(tmp_path / "labels.npz", name=np.array(["a", "b", "c"]), pts68_px=many)
    return tmp_path


def test_every_face_has_its_row_and_parts_are_cleaned_away(folder, capsys):
    out = folder / "fits.npz"
    assert label(data=folder, out=out, processes=1) == 0
    with np.load(out) as found:
        assert found["name"].tolist() == ["a", "b", "c"]
        assert found["accepted"].tolist() == [True, True, False]
        assert str(found["face_model"]) == MorphableModel.load().name
    assert "2 of 3 faces accepted" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["fits.npz", "labels.npz"]


def test_a_run_goes_on_where_it_was_stopped(folder, monkeypatch):
    monkeypatch.setattr(module, "PART_FACES", 2)

    def stop(*_):
        raise OSError("full")

    out = folder / "fits.npz"
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", stop)
        with pytest.raises(OSError, match="full"):
            label(data=folder, out=out, processes=1)
    out.unlink()
    parts = sorted((folder / "fits.npz.parts").iterdir())
    assert len(parts) == 2
    kept = parts[0].stat().st_mtime_ns
    parts[1].unlink()
    seen = []
    read = module._read_part
    monkeypatch.setattr(
        module, "_read_part", lambda p: seen.append((p, p.stat().st_mtime_ns)) or read(p)
    )
    assert label(data=folder, out=out, processes=1) == 0
    assert seen[0] == (parts[0], kept)
    assert [path for path, _ in seen] == parts
    assert out.is_file()


def test_wrong_usage_is_named(tmp_path):
    with pytest.raises(UsageError, match="npz"):
        label(data=tmp_path, out=tmp_path / "fits.txt")
    with pytest.raises(UsageError, match="processes"):
        label(data=tmp_path, out=tmp_path / "fits.npz", processes=-1)
