"""A batch from its pictures to its tables, by the process that does it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlanet import Reconstructor
from mlanet.bulk import Batch, Settings, read, run
from mlanet.bulk.plan import PLAN
from mlanet.bulk.sources import PictureFiles, open_sources
from mlanet.bulk.work import PartWorker
from mlanet.errors import DataError, UsageError
from mlanet.morphable import Provenance, load_model
from mlanet.reconstruction import Reconstruction


@pytest.fixture
def files(photos):
    return PictureFiles(tuple(str(path) for path in sorted(photos.iterdir())))


@pytest.fixture(scope="module")
def worked(photos, tmp_path_factory):
    """A batch that was done in this process, with files of each face."""
    sources, _ = open_sources(str(path) for path in sorted(photos.iterdir()))
    folder = tmp_path_factory.mktemp("batch") / "out"
    batch = Batch(folder, sources, Settings(formats=("json",), pictures=("overlay",)))
    batch.claim()
    worker = PartWorker.load(batch, batch.settings.record())
    for part in batch.parts():
        worker.do(part, lambda _: None)
    return batch


def tables(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))
    }


def rows(folder, kind="pictures"):
    return pq.read_table(folder / kind).to_pylist()


def test_every_picture_has_a_row_and_every_face(worked, encoded):
    assert [path.name for path in sorted((worked.folder / "faces").iterdir())] == [
        "part-00000000.parquet",
        "part-00000001.parquet",
    ]
    pictures = rows(worked.folder)
    assert [row["picture"].rpartition("/")[2] for row in pictures] == list(encoded)
    assert {row["faces"] for row in pictures} == {0, 1}
    assert all(
        row["error"] is None and (row["width"], row["height"]) == (120, 120) for row in pictures
    )
    faces = rows(worked.folder, "faces")
    with_face = [row["picture"] for row in pictures if row["faces"]]
    assert [row["picture"] for row in faces] == with_face
    assert len(faces) >= len(encoded) - 2
    about = json.loads(
        pq.read_schema(worked.folder / "faces/part-00000000.parquet").metadata[b"mlanet"]
    )
    assert set(about["expressions"]) <= set(faces[0])
    assert about["schema"] == 1


def test_files_lie_where_the_table_says(worked):
    for row in rows(worked.folder):
        if row["faces"]:
            names = {path.name for path in (worked.folder / row["folder"]).iterdir()}
            assert names == {"face_00.json", "overlay.png"}
        else:
            assert row["folder"] is None


def test_what_is_read_back_is_what_was_reconstructed(worked):
    found = list(read(worked.folder))
    reconstructor = Reconstructor.load()
    for picture in found[::9]:
        (face,), (again,) = reconstructor(picture.picture), picture.faces
        assert isinstance(again, Reconstruction)
        assert again.as_dict().keys() == face.as_dict().keys()
        np.testing.assert_array_equal(again.image, face.image)
        np.testing.assert_array_equal(again.crop.image, face.crop.image)
        np.testing.assert_allclose(again.landmarks_px, face.landmarks_px, atol=1e-2)
        np.testing.assert_allclose(again.mesh.vertices, face.mesh.vertices, atol=1e-2)
        np.testing.assert_array_equal(again.detection.box_px, face.detection.box_px)
        np.testing.assert_allclose(again.confidence, face.confidence, atol=1e-4)
    table = rows(worked.folder, "faces")
    for row, picture in zip(table, read(worked.folder, images=False), strict=True):
        (face,) = picture.faces
        assert face.image.shape == (120, 120, 3)
        assert not face.image.any()
        np.testing.assert_allclose(face.landmarks_px.ravel(), row["landmarks_px"], atol=1e-4)
        np.testing.assert_allclose(face.pose.rotation.ravel(), row["rotation"], atol=1e-6)
        np.testing.assert_allclose(face.camera.focal_length_px, row["focal_length_px"])
        np.testing.assert_allclose(face.euler_deg[1], row["yaw_deg"], atol=1e-4)


def test_reading_names_what_is_wrong(worked, tmp_path, photos):
    with pytest.raises(DataError, match="holds no batch"):
        read(tmp_path)
    with pytest.raises(DataError, match="another face model"):
        read(worked.folder, model=replace(load_model(), provenance=Provenance()))
    copy = tmp_path / "copy"
    for name in ("faces", "pictures"):
        (copy / name).mkdir(parents=True)
        table = pq.read_table(worked.folder / name / "part-00000000.parquet")
        if name == "faces":
            table = table.replace_schema_metadata(None)
        pq.write_table(table, copy / name / "part-00000000.parquet")
    (copy / PLAN).write_bytes((worked.folder / PLAN).read_bytes())
    with pytest.raises(DataError, match="not a table of faces"):
        list(read(copy))


def test_a_picture_that_changed_since_is_named(files, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(Path(files.paths[0]).read_bytes())
    batch = Batch(tmp_path / "out", [PictureFiles((str(path),))], Settings())
    batch.claim()
    worker = PartWorker.load(batch, batch.settings.record())
    for part in batch.parts():
        worker.do(part, lambda _: None)
    path.write_bytes(Path(files.paths[1]).read_bytes())
    with pytest.raises(DataError, match="another picture now"):
        list(read(batch.folder))


def test_a_run_goes_on_and_its_tables_are_those_of_an_unbroken_one(files, tmp_path):
    whole = Batch(tmp_path / "whole", [files], Settings())
    told = []
    tally, failures = run(whole, 1, lambda tally: told.append(tally.pictures))
    assert (tally.pictures, tally.before, failures) == (len(files), 0, 0)
    assert told == [16, 20]
    assert tally.without_face >= 1
    broken = Batch(tmp_path / "broken", [files], Settings())
    run(broken, 2)
    first = next(broken.parts())
    (broken.folder / first.table("pictures")).unlink()
    (broken.folder / first.table("faces")).write_bytes(b"half")
    (broken.folder / "faces" / ".mlanet-000000-1-00000000-part").write_bytes(b"")
    tally, _ = run(broken, 1)
    assert (tally.pictures, tally.before) == (16, 4)
    assert tables(whole.folder) == tables(broken.folder)
    assert run(broken, 1)[0].pictures == 0


def test_a_folder_takes_one_batch_alone(files, tmp_path):
    batch = Batch(tmp_path / "out", [files], Settings())
    batch.claim()
    batch.claim()
    with pytest.raises(UsageError, match="of other pictures"):
        Batch(batch.folder, [files.part(0, 3)], Settings()).claim()
    with pytest.raises(UsageError, match="with other options"):
        Batch(batch.folder, [files], Settings(max_faces=1)).claim()
    with pytest.raises(UsageError, match="other files"):
        Batch(Path(files.paths[0]).parent, [files], Settings()).claim()


def test_parts_do_not_depend_on_what_is_done(files, tmp_path):
    batch = Batch(tmp_path / "out", [files, files.part(0, 17)], Settings())
    assert [len(part.source) for part in batch.parts()] == [16, 4, 16, 1]
    assert [part.number for part in batch.parts()] == [0, 1, 2, 3]
    many = Batch(tmp_path / "out", [PictureFiles(("a",) * 100_000)], Settings())
    assert many.part_pictures == 256


def test_bad_pictures_are_named_and_the_others_done(files, tmp_path, encoded):
    bad = {"text.jpg": b"no picture", "empty.jpg": b"", "cut.jpg": encoded["photo00.jpg"][:-200]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    names = [str(tmp_path / name) for name in (*bad, "gone.jpg")]
    batch = Batch(tmp_path / "out", [PictureFiles((*names, *files.paths[:2]))], Settings())
    _, failures = run(batch, 1)
    assert failures == 3
    text, empty, cut, gone, *good = rows(batch.folder)
    assert text["error"].startswith("is not a picture")
    assert empty["error"] == "is empty"
    assert gone["error"] is not None
    assert cut["error"] is None
    assert "damaged" in cut["warning"]
    assert [row["faces"] for row in good] == [1, 1]
    listed = [
        json.loads(line) for line in (batch.folder / "failures.jsonl").read_text().splitlines()
    ]
    assert [row["picture"] for row in listed] == [names[0], names[1], names[3]]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux does")
def test_tables_are_read_without_threads():
    """One of Arrow's that starts while a process ends aborts it."""
    program = (
        "import os; from mlanet.bulk.tables import PictureRow, encoded_pictures, errors_of;"
        "threads = lambda: len(os.listdir('/proc/self/task'));"
        "table = encoded_pictures([PictureRow('a.jpg', error='gone')]); before = threads();"
        "assert errors_of('table', table) == [{'picture': 'a.jpg', 'error': 'gone'}];"
        "assert threads() == before"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
