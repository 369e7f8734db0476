"""Every verb that says nothing of an extra runs once on small inputs; the others name theirs.

It is the bare install that tells: there, no extra can be imported.
"""

import io
import tarfile
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.io import savemat

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.cli import main, verbs
from mlanet.evaluation import Column, Protocol, Report, Table
from mlanet.image import read_image
from mlanet.morphable import load_model

FRAMES = ("a_00.png", "a_10.png", "b_00.png", "b_10.png")
PHOTOS = ("image00002.jpg", "image00004.jpg")
NEED_EXTRA = {
    "animate": ("video", "face.glb --driver film.mp4 --out OUT"),
    "ablate": ("train", "--data DATA --out OUT"),
    "batch": ("bulk", "DATA/photos --out OUT"),
    "demo": ("web", "--no-open --port 0"),
    "export": ("train", "--checkpoint c.safetensors --out OUT/w.onnx"),
    "fit": ("train", "--example --out OUT"),
    "train": ("train", "--data DATA --out OUT"),
    "video": ("video", "film.mp4 --out OUT"),
}
NEED_SCIPY = {
    "evaluate scans": ("evaluate", "--data DATA --out OUT"),
    "models convert": ("models", "DATA/model.npz --out OUT.npz"),
}
NEED_EXTRA |= NEED_SCIPY
PACKAGES = {"bulk": "pyarrow", "train": "torch", "video": "av", "web": "uvicorn"}
PACKAGES |= {"evaluate": "h5py", "models": "h5py"}
"""One that tells whether an extra is installed; the tests themselves have scipy."""
RUNS = {
    "reconstruct": "--example --out OUT --threads 1",
    "doctor": "",
    "live": "--source DATA/talk.avi --show nothing --threads 1",
    "view": "DATA/box.glb --out OUT.html --no-open",
    "label": "--data DATA/crops --out OUT/labels.npz --processes 1",
    "evaluate aflw2000": "--data DATA/aflw2000 --annotations DATA/annotations.npz --out OUT",
    "evaluate florence": "--data DATA/florence --write-pictures OUT",
    "evaluate identity": "--data DATA/crops --out OUT",
    "evaluate occlusion": "--data DATA/aflw2000 --out OUT --shares 0.1",
    "evaluate expressions": "--data DATA/aflw2000 --annotations DATA/annotations.npz "
    "--teacher DATA/teacher.npz --out OUT --num-heads 2",
    "evaluate portraits": "--data DATA --out OUT",
    "evaluate now": "--data DATA/now --images DATA/now/list.txt --out OUT",
    "evaluate realy": "--images DATA/photos --out OUT",
    "evaluate compare": "DATA/report.json DATA/report.json",
    "synthesize heads": "--out OUT --count 2 --size 32",
    "synthesize profiles": "--data DATA/crops --out OUT --size 32 --steps 1",
    "dataset check": "--data DATA/crops",
    "dataset shards": "--data DATA/crops --out OUT",
    "models list": "",
    "models info": "embedded",
    "models sheet": "embedded --out OUT.png",
    "models verify": "",
}


def words_of(verb, line, data, out):
    return [*verb.split(), *line.replace("DATA", str(data)).replace("OUT", str(out)).split()]


@pytest.fixture(scope="session")
def face():
    """The example's face: a picture of 128 pixels and its 68 landmarks (68, 3) in it."""
    picture = Image.fromarray(read_image(verified_path("example-image")))
    small = np.asarray(picture.crop((100, 10, 400, 310)).resize((128, 128)))
    (found,) = Reconstructor.load(threads=1)(small)
    return small, np.asarray(found.landmarks_px)


@pytest.fixture(scope="session")
def data(face, tmp_path_factory):
    """Small data sets of the example's face, one folder for each layout."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("aflw2000", "crops", "photos", "now/p/selfie", "florence/subject_01"):
        (folder / name).mkdir(parents=True)
    write_crops(folder / "crops", *face)
    write_aflw2000(folder, *face)
    write_teacher(folder / "teacher.npz")
    write_portraits(folder, *face)
    picture = Image.fromarray(face[0])
    picture.save(folder / "photos" / "1.png")
    write_now(folder / "now", picture)
    write_florence(folder / "florence" / "subject_01", picture)
    write_model(folder / "model.npz")
    write_film(folder / "talk.avi", face[0])
    trimesh.creation.box().export(folder / "box.glb")
    columns = Column("image", use="case"), Column("nme_2d_68", use="figure")
    rows = Table("images", columns, tuple(zip(PHOTOS, (1.0, 2.0), strict=True)))
    Report(Protocol("AFLW2000-3D", "errors"), rows, ()).write(folder)
    return folder


def write_crops(folder, picture, points):
    with tarfile.open(folder / "images-00.tar", "w") as archive:
        for shift, name in enumerate(FRAMES):
            file = io.BytesIO()
            Image.fromarray(np.roll(picture, shift, axis=1)).save(file, "PNG")
            member = tarfile.TarInfo(name)
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
    moved = np.stack([points + np.array([shift, 0.0, 0.0]) for shift in range(len(FRAMES))])
    people = np.array([name[0] for name in FRAMES])
    np.savez(folder / "labels.npz", name=np.array(FRAMES), pts68_px=moved, identity=people)


def write_aflw2000(folder, picture, points):
    for name in PHOTOS:
        Image.fromarray(picture).save(folder / "aflw2000" / name, quality=95)
        content = {
            "Pose_Para": np.array([[0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 1.0]]),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "pt3d_68": points.T.astype(np.float32),
        }
        savemat(folder / "aflw2000" / name.replace(".jpg", ".mat"), content)
    original = np.stack([points.T] * len(PHOTOS)).astype(np.float32)
    np.savez(
        folder / "annotations.npz",
        name=np.array(PHOTOS),
        pts68_original=original,
        pts68_reannotated=original[:, :2],
        yaw_deg=np.array([5.0, 50.0]),
        roi_box=np.array([[20.0, 20.0, 110.0, 110.0]] * len(PHOTOS)),
    )


def write_teacher(path):
    names = load_model().expression_names
    values = np.random.default_rng(0).uniform(size=(len(PHOTOS), len(names)))
    np.savez(path, name=np.array(PHOTOS), blendshapes=values, blendshape_names=np.array(names))


def write_portraits(folder, picture, points):
    """Portraits, and a teacher whose points are the landmarks and who sees no expression."""
    from mlanet.labelling.teacher import INNER, JAW, LIDS

    (folder / "portraits").mkdir()
    (folder / "teacher").mkdir()
    write_crops(folder / "portraits", picture, points)
    groups = {"source": np.array(["own"] * len(FRAMES)), "group": np.array(["a", "a", "b", "b"])}
    np.savez(folder / "portraits" / "labels.npz", name=np.array(FRAMES), **groups)
    lids = [point for side in LIDS.values() for part in side for point in part]
    index = list(dict.fromkeys([*JAW, *INNER, *lids]))
    seen = np.zeros((len(FRAMES), len(index), 2))
    for place, point in enumerate(points[:, :2]):
        seen[:, index.index((JAW + INNER)[place])] = point
    seen[..., 0] += np.arange(len(FRAMES))[:, None]
    names = np.array(load_model().expression_names)
    np.savez(
        folder / "teacher" / "portraits.npz",
        name=np.array(FRAMES),
        found=np.array([True, True, True, False]),
        points=seen,
        blendshapes=np.zeros((len(FRAMES), len(names))),
        blendshape_names=names,
        index=np.array(index),
        unit_px=1.0,
    )


def write_now(folder, picture):
    root = folder / "final_release_version"
    for kind in ("iphone_pictures", "detected_face"):
        (root / kind / "p" / "selfie").mkdir(parents=True)
    picture.save(root / "iphone_pictures" / "p" / "selfie" / "1.jpg", quality=95)
    box = {"left": 20.0, "top": 20.0, "right": 110.0, "bottom": 110.0}
    np.save(root / "detected_face" / "p" / "selfie" / "1.npy", np.array(box, dtype=object))
    (folder / "list.txt").write_text("p/selfie/1.jpg\n")


def write_florence(folder, picture):
    """Pictures of a video; scans are there and are not looked into."""
    for name in ("Model/frontal1/obj", "Video"):
        (folder / name).mkdir(parents=True)
    (folder / "Model" / "frontal1" / "obj" / "1.obj").write_text("v 0 0 0\n")
    file = io.BytesIO()
    picture.save(file, "JPEG")
    (folder / "Video" / "Indoor-Cooperative.mjpg").write_bytes(file.getvalue() * 2)


def write_film(path, picture):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, picture.shape[:2])
    for _ in range(3):
        writer.write(picture[..., ::-1])
    writer.release()


def write_model(path):
    """A bent grid as a face model of ICT-FaceKit's kind."""
    x, y = np.meshgrid(np.linspace(-80, 80, 33), np.linspace(-110, 80, 41))
    nose = 22 * np.exp(-((x / 12) ** 2) - ((y + 19) / 14) ** 2)
    z = 104 - 60 * (x / 80) ** 2 - 12 * (y / 100) ** 2 + nose
    mean = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(40)[:, None] * 33 + np.arange(32)).reshape(-1, 1)
    faces = np.concatenate([corner + half for half in ([[0, 1, 34]], [[0, 34, 33]])])
    marks = np.asarray(load_model().landmarks.mean)
    apart = np.linalg.norm(marks[:, None, :2] - mean[None, :, :2], axis=-1)
    modes = np.random.default_rng(0).normal(size=(3, len(mean), 3))
    np.savez(
        path,
        mean=mean,
        id_basis=modes,
        exp_basis=modes,
        exp_names=np.array(["jawOpen", "mouthSmile_L", "mouthSmile_R"]),
        faces=faces,
        lm68=apart.argmin(axis=1),
        unit=np.array("mm"),
    )


@pytest.fixture
def one_scan(monkeypatch):
    """`evaluate scans` sees a head of our own from one side, under one light."""
    from mlanet.evaluation.scans.known_heads import KnownHead
    from mlanet.evaluation.scans.portraits import portraits_of
    from mlanet.evaluation.surfaces.face_shape import START_POINTS, FaceComparison
    from mlanet.metrics import Surface
    from mlanet.morphable import AlbedoModel

    model = AlbedoModel.load().on(load_model())
    rest = [np.zeros(count) for count in (model.layout.identity, model.layout.expression)]
    mesh = model.mesh(*rest, np.zeros(model.layout.albedo))
    marks = model.landmarks(*rest)
    surface = Surface(mesh.vertices, FaceComparison(model).faces)
    head = KnownHead("own", "own", surface, marks, marks[list(START_POINTS)], mesh)
    portraits = portraits_of([head], (0.0,), ("left",))
    monkeypatch.setattr("mlanet.evaluation.scans.known_heads.known_heads", lambda *_: [head])
    monkeypatch.setattr("mlanet.evaluation.scans.portraits.portraits_of", lambda _: portraits)


def test_no_verb_is_forgotten():
    assert sorted([*RUNS, *NEED_EXTRA]) == sorted(verbs())


@pytest.mark.parametrize("verb", RUNS)
def test_verbs_run_without_extras(verb, data, tmp_path, one_scan, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words_of(verb, RUNS[verb], data, tmp_path / "out"))
    assert stop.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("verb", NEED_SCIPY)
def test_verbs_run_with_scipy(verb, data, tmp_path, one_scan, with_scipy, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words_of(verb, NEED_SCIPY[verb][1], data, tmp_path / "out"))
    assert stop.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("verb", NEED_EXTRA)
def test_verbs_that_need_an_extra_name_it(verb, data, tmp_path, capsys):
    extra, words = NEED_EXTRA[verb]
    if find_spec(PACKAGES[extra]) is not None:
        pytest.skip(f"the extra {extra} is installed")
    with pytest.raises(SystemExit) as stop:
        main(words_of(verb, words, data, tmp_path / "out"))
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlanet: ")
    assert f"[{extra}]'" in line
    assert not (tmp_path / "out").exists()
