import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from mlanet.datasets import FaceCrops
from mlanet.errors import DataError, ImageError
from mlanet.geometry import euler_from_matrix, matrix_from_euler, viewer_from_camera

NAMES = ["b.webp", "a.webp", "d.webp", "c.webp", "e.webp"]


def encoded(level, mode="RGB"):
    file = io.BytesIO()
    color = (level, 255 - level, 7) if mode == "RGB" else level
    Image.new(mode, (24, 24), color).save(file, "WEBP", lossless=True)
    return file.getvalue()


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_labels(folder, **changes):
    rng = np.random.default_rng(0)
    angles = rng.uniform(-60, 60, (5, 3))
    arrays = {
        "name": np.array(NAMES),
        "pts68_px": rng.uniform(0, 24, (5, 68, 3)).astype(np.float16),
        "rotation": np.asarray(viewer_from_camera(matrix_from_euler(np.radians(angles)))),
        "angles_deg": angles,
        "identity": np.array(["p", "p", "q", "q", "r"]),
        "unused": np.zeros(3),
    } | changes
    np.savez(folder / "labels.npz", **{k: v for k, v in arrays.items() if v is not None})


@pytest.fixture
def folder(tmp_path):
    pictures = {name: encoded(40 * k) for k, name in enumerate(NAMES)}
    write_tar(tmp_path / "images-00.tar", {n: pictures[n] for n in ("a.webp", "d.webp")})
    rest = {n: pictures[n] for n in ("e.webp", "c.webp", "b.webp")}
    write_tar(tmp_path / "images-01.tar", rest | {"unlabelled.webp": encoded(1)})
    write_labels(tmp_path)
    return tmp_path


def test_labels_and_pictures_are_matched_by_name(folder):
    crops = FaceCrops(folder)
    assert len(crops) == 5
    assert crops.names.tolist() == NAMES
    for index in (3, 0, 4, 1, 2):
        sample = crops[index]
        assert sample.name == NAMES[index]
        assert sample.image.shape == (24, 24, 3)
        assert sample.image.dtype == np.uint8
        assert sample.image[5, 5].tolist() == [40 * index, 255 - 40 * index, 7]
        np.testing.assert_array_equal(sample.landmarks_px, crops.landmarks_px[index])
    assert crops[2].identity == "q"
    assert crops.landmarks_px.dtype == np.float32


def test_rotation_becomes_model_to_camera(folder):
    crops = FaceCrops(folder)
    np.testing.assert_allclose(
        np.degrees(euler_from_matrix(crops.rotation)), crops.angles_deg, atol=1e-3
    )
    write_labels(folder, rotation=np.tile(np.eye(3), (5, 1, 1)))
    np.testing.assert_array_equal(FaceCrops(folder).rotation[0], np.diag([1, -1, -1]))


def test_landmarks_alone_suffice(folder):
    points = np.ones((5, 68, 2))
    write_labels(folder, pts68_px=points, rotation=None, angles_deg=None, identity=None)
    sample = FaceCrops(folder)[0]
    assert sample.landmarks_px.shape == (68, 2)
    assert sample.rotation is None
    assert sample.angles_deg is None
    assert sample.identity is None


def test_pictures_may_have_no_landmarks_and_people_another_name(folder):
    write_labels(folder, pts68_px=None, identity=None, person=np.array(list("pqrst")))
    crops = FaceCrops(folder)
    assert crops.landmarks_px is None
    assert crops[1].landmarks_px is None
    assert crops[1].identity == "q"


def test_iteration_ends(folder):
    assert [sample.name for sample in FaceCrops(folder)] == NAMES


def test_labels_without_a_picture_are_left_out_and_named(folder):
    (folder / "images-00.tar").unlink()
    crops = FaceCrops(folder)
    assert crops.names.tolist() == ["b.webp", "c.webp", "e.webp"]
    assert [sample.name for sample in crops] == crops.names.tolist()
    assert crops[1].image[5, 5, 0] == 120
    assert set(crops.skipped.reasons) == {"a.webp", "d.webp"}
    for path in folder.glob("*.tar"):
        path.unlink()
    with pytest.raises(DataError, match=r"labels\.npz: no sample is usable; the first: b\.webp"):
        FaceCrops(folder)


def test_labels_that_are_not_finite_or_do_not_rotate_are_left_out(folder):
    write_labels(folder)
    with np.load(folder / "labels.npz") as labels:
        arrays = dict(labels)
    arrays["pts68_px"][1, 7] = np.nan
    arrays["rotation"][3] *= 1.1
    arrays["angles_deg"][4, 0] = np.inf
    np.savez(folder / "labels.npz", **arrays)
    crops = FaceCrops(folder)
    assert crops.names.tolist() == ["b.webp", "d.webp"]
    assert crops[1].image[5, 5, 0] == 80
    assert len(crops.rotation) == len(crops.landmarks_px) == len(crops.identity) == 2
    assert [reason.split(": ")[1] for reason in crops.skipped.reasons.values()] == [
        "'pts68_px' is not finite",
        "'rotation' holds matrices that do not rotate",
        "'angles_deg' is not finite",
    ]


def test_a_truncated_tar_file_is_used_as_far_as_it_goes(folder):
    path = folder / "images-01.tar"
    path.write_bytes(path.read_bytes()[: 512 + 10])
    crops = FaceCrops(folder)
    assert crops.names.tolist() == ["a.webp", "d.webp"]
    assert "truncated inside e.webp" in crops.skipped.reasons["images-01.tar"]


def test_labels_of_one_name_are_used_together_or_not_at_all(folder):
    """Pictures of one name are told apart by their order, which a missing one would shift."""
    write_tar(folder / "images-02.tar", {"a.webp": encoded(7)})
    points = np.ones((6, 68, 2))
    points[0, 0] = np.nan
    names = np.array(["a.webp", "a.webp", "b.webp", "c.webp", "d.webp", "e.webp"])
    np.savez(folder / "labels.npz", name=names, pts68_px=points)
    crops = FaceCrops(folder)
    assert crops.names.tolist() == names[2:].tolist()
    assert list(crops.skipped.reasons) == ["a.webp (sample 0)", "a.webp (sample 1)"]


def test_a_broken_picture_is_named(folder):
    write_tar(folder / "images-00.tar", {"a.webp": b"RIFF nonsense", "d.webp": encoded(1)[:-9]})
    crops = FaceCrops(folder)
    for index, name in ((1, "a.webp"), (2, "d.webp")):
        with pytest.raises(ImageError, match=name):
            crops.decode(index)


def test_folder_without_labels(tmp_path):
    with pytest.raises(DataError, match=r"labels\.npz"):
        FaceCrops(tmp_path)


def test_labels_that_do_not_fit_are_refused(folder):
    write_labels(folder, pts68_px=np.zeros((5, 68, 4)))
    with pytest.raises(DataError, match="2 or 3"):
        FaceCrops(folder)
    write_labels(folder, rotation=np.tile(2 * np.eye(3), (5, 1, 1)))
    with pytest.raises(DataError, match="do not rotate"):
        FaceCrops(folder)
    write_labels(folder, rotation=np.tile(np.diag([1, 1, -1.0]), (5, 1, 1)))
    with pytest.raises(DataError, match="do not rotate"):
        FaceCrops(folder)
