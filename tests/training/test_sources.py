import itertools
import json
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import ConfigurationError, DataError
from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels
from mlanet.morphable import AlbedoModel
from mlanet.synthesis import RenderedHeads, write_samples
from mlanet.training import SourceConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.samples import person_number
from mlanet.training.sources import folder_source

KNOWN = ["identity", "expression", "albedo", "rotation", "translation", "lighting"]


def describe(model, **changes):
    settings = {
        "kind": "heads",
        "face_model": model.name,
        "albedo": "open",
        "layout": {
            "identity": model.layout.identity,
            "expression": model.layout.expression,
            "albedo": model.layout.albedo,
        },
        "known": KNOWN,
    }
    return settings | changes


@pytest.fixture(scope="module")
def root(model, data, tmp_path_factory):
    """The usual photos, 9 rendered heads, and the same as faces turned out of the photos."""
    root = tmp_path_factory.mktemp("sources")
    for name in ("aflw_train", "ytf68"):
        (root / name).symlink_to(data / name)
    heads = RenderedHeads(model, size=64, count=9)
    write_samples(heads, root / "heads", describe(model))
    turned = [replace(heads[k], name=f"image{k:05d}-{k:07d}-1.webp") for k in range(9)]
    known = [name for name in KNOWN if name not in ("albedo", "lighting")]
    settings = describe(model, kind="profiles", data="aflw_train", known=known)
    write_samples(turned, root / "profiles", settings)
    return root


@pytest.fixture(scope="module")
def mixed(tiny):
    return replace(
        tiny,
        batch_size=10,
        sources=(
            SourceConfig("aflw_train", 0.5),
            SourceConfig("heads", 0.3),
            SourceConfig("profiles", 0.2),
        ),
    )


def test_every_source_fills_its_share(root, mixed):
    faces = LabelledFaces.of(mixed, root)
    blocks = faces.model.layout.slices
    for step in range(4):
        known = faces.training_batch(step, 32, mixed).known.numpy()
        assert (known[:, blocks["identity"]].min(axis=1) == [0] * 5 + [1] * 5).all()
        assert (known[:, blocks["lighting"]].max(axis=1) == [0] * 5 + [1] * 3 + [0] * 2).all()


def test_uneven_shares_even_out(root, mixed):
    config = replace(
        mixed,
        batch_size=4,
        sources=(SourceConfig("aflw_train", 0.85), SourceConfig("heads", 0.15)),
    )
    faces = LabelledFaces.of(config, root)
    lighting = faces.model.layout.slices["lighting"]
    counts = [
        int(faces.training_batch(step, 32, config).known[:, lighting].amax(dim=1).sum())
        for step in range(20)
    ]
    assert set(counts) == {0, 1}
    assert sum(counts) == 12


def test_mixed_batches_depend_on_seed_and_step_alone(root, mixed):
    config = replace(mixed, unlabelled=0.4)
    first = LabelledFaces.of(config, root)
    later = LabelledFaces.of(config, root)
    for step in (3, 1):
        one, other = first.training_batch(step, 32, config), later.training_batch(step, 32, config)
        for name in type(one).__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.labelled.tolist() == [True] * 6 + [False] * 4


def test_processes_share_a_batch_without_overlap(root, mixed):
    config = replace(mixed, batch_size=8, unlabelled=0.5)
    faces = LabelledFaces.of(config, root)
    whole = faces.training_batch(2, 32, config)
    parts = [faces.training_batch(2, 32, config, rank, 2) for rank in range(2)]
    for part, rows in zip(parts, ([0, 2, 4, 6], [1, 3, 5, 7]), strict=True):
        assert part.labelled.tolist() == [True, True, False, False]
        np.testing.assert_array_equal(part.images, whole.images[rows])
        np.testing.assert_array_equal(part.coefficients, whole.coefficients[rows])


def test_known_coefficients_follow_the_crop(root, mixed, model):
    faces = LabelledFaces.of(mixed, root)
    batch = faces.training_batch(0, 64, mixed)
    found = model.layout.split(batch.coefficients[5:].double().numpy())
    points = model.landmarks(found.identity, found.expression)
    pose = decode_pose(found.rotation, found.translation)
    decoded = landmarks_in_pixels(Camera.of_crop(64), pose, points)[..., :2]
    apart = np.linalg.norm(decoded - batch.landmarks_px[5:, :, :2].numpy(), axis=2).mean(axis=1)
    assert (apart / batch.size_px[5:].numpy() < 0.02).all()


def test_faces_made_of_held_out_photos_are_not_trained_with(root, mixed):
    faces = LabelledFaces.of(mixed, root)
    assert faces.held_out == [(0, 0), (0, 4), (0, 8)]
    turned = {index for source, index in faces.training if source == 2}
    assert turned == {1, 2, 3, 5, 6, 7}
    assert {index for source, index in faces.training if source == 1} == set(range(9))


def test_profiles_of_a_part_of_the_photos_are_told_by_the_photos_names(root, model, tmp_path):
    """Their numbers are places in that part: here the photos 3, 4, 7 and 8."""
    (tmp_path / "aflw_train").symlink_to(root / "aflw_train")
    heads = RenderedHeads(model, size=64, count=4)
    photos = (3, 4, 7, 8)
    turned = [replace(heads[k], name=f"image{photos[k]:05d}-{k:07d}-1.webp") for k in range(4)]
    settings = describe(model, kind="profiles", data="aflw_train", known=["identity"])
    write_samples(turned, tmp_path / "profiles", settings)
    parts = [SourceConfig("aflw_train", 0.5), SourceConfig("profiles", 0.5)]
    faces = LabelledFaces(tmp_path, 4, parts)
    assert faces.held_out == [(0, 0), (0, 4), (0, 8)]
    assert {index for source, index in faces.training if source == 1} == {0, 2}


def test_profiles_alone_show_no_photo_on_both_sides(root, model, tmp_path):
    heads = RenderedHeads(model, size=64, count=8)
    names = [f"image{k // 2:05d}-{k // 2:07d}-{1 + k % 2}.webp" for k in range(8)]
    turned = [replace(heads[k], name=name) for k, name in enumerate(names)]
    settings = describe(model, kind="profiles", data="aflw_train", known=["identity"])
    write_samples(turned, tmp_path / "profiles", settings)
    faces = LabelledFaces(tmp_path, 3, [SourceConfig("profiles")])
    assert [index for _, index in faces.held_out] == [0, 1, 6, 7]
    assert {index for _, index in faces.training} == {2, 3, 4, 5}


def test_unlabelled_samples_are_never_held_out_ones(root, tiny):
    config = replace(
        tiny, unlabelled=0.5, sources=(SourceConfig("heads"),),
        unlabelled_sources=(SourceConfig("aflw_train"),),
    )  # fmt: skip
    faces = LabelledFaces.of(config, root)
    pictures = {faces.sources[k].name for k, _ in faces.held_out}
    assert pictures == {"aflw_train"}
    members = {member for pool in faces.unlabelled for member in pool.members}
    assert len(members) == 9
    assert not members & set(faces.held_out)


def test_heads_alone_are_validated_on_heads(root, tiny):
    config = replace(tiny, sources=(SourceConfig(heads=8),))
    faces = LabelledFaces.of(config, root)
    assert [index for _, index in faces.held_out] == [0, 4]
    assert len(faces.training) == 6
    assert faces.training_batch(0, 32, config).known.all()


def test_colours_stay_where_albedo_and_light_are_known(root, tiny, neutral):
    still = replace(tiny, augmentation=replace(neutral, color=2.0))
    for folder, same in (("heads", True), ("profiles", False)):
        config = replace(still, sources=(SourceConfig(folder),))
        plain = replace(config, augmentation=neutral)
        faces = LabelledFaces.of(config, root)
        changed, own = (faces.training_batch(0, 64, c).images for c in (config, plain))
        # Both draw the same numbers for the geometry.
        assert np.array_equal(changed, own) == same


def break_picture(folder, number):
    """Overwrite the data of a picture inside its tar file."""
    found = 0
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if found == number:
                    with path.open("r+b") as file:
                        file.seek(member.offset_data)
                        file.write(b"\0" * 16)
                    return
                found += 1


def test_a_broken_sample_is_replaced_and_named(make_faces, make_folder, tmp_path, tiny):
    make_folder(tmp_path / "aflw_train", make_faces(10).landmarks_px)
    before = LabelledFaces(tmp_path, 5)
    expected = [before.training_batch(step, 32, tiny) for step in range(4)]
    break_picture(tmp_path / "aflw_train", 3)
    after = LabelledFaces(tmp_path, 5)
    found = [after.training_batch(step, 32, tiny) for step in range(4)]
    assert list(after.broken) == [(0, 3)]
    assert "aflw_train: image00003.webp" in after.broken[0, 3]
    changed = [
        not np.array_equal(a, b)
        for one, other in zip(expected, found, strict=True)
        for a, b in zip(one.images, other.images, strict=True)
    ]
    assert 1 <= sum(changed) <= 3


def test_a_long_row_of_broken_samples_is_passed_over(make_faces, make_folder, tmp_path, tiny):
    make_folder(tmp_path / "aflw_train", make_faces(36).landmarks_px)
    for number in range(2, 34):
        break_picture(tmp_path / "aflw_train", number)
    faces = LabelledFaces.of(replace(tiny, held_out=35), tmp_path)
    batches = [faces.training_batch(step, 32, tiny) for step in range(8)]
    assert all(len(batch.images) == tiny.batch_size for batch in batches)
    assert len(faces.broken) > 20


def test_a_folder_of_broken_samples_is_given_up(make_faces, make_folder, tmp_path, tiny):
    make_folder(tmp_path / "aflw_train", make_faces(6).landmarks_px)
    for number in range(1, 6):
        break_picture(tmp_path / "aflw_train", number)
    faces = LabelledFaces(tmp_path, 6)
    with pytest.raises(DataError, match=r"none of the 5 samples can be used.*image00001"):
        faces.training_batch(0, 32, tiny)
    break_picture(tmp_path / "aflw_train", 0)
    with pytest.raises(DataError, match=r"none of the 1 samples can be used.*image00000"):
        LabelledFaces.of(replace(tiny, held_out=6), tmp_path)


def test_broken_held_out_faces_are_left_out(make_faces, make_folder, tmp_path):
    make_folder(tmp_path / "aflw_train", make_faces(10).landmarks_px)
    whole = next(LabelledFaces(tmp_path, 2).held_out_batches(32, 9))
    for number in (0, 2, 6):
        break_picture(tmp_path / "aflw_train", number)
    faces = LabelledFaces(tmp_path, 2)
    found = [batch.images for batch in faces.held_out_batches(32, 1)]
    assert [len(images) for images in found] == [1, 1]
    np.testing.assert_array_equal(np.concatenate(found), whole.images[[2, 4]])
    assert set(faces.broken) == {(0, 0), (0, 2), (0, 6)}


@pytest.fixture(scope="module")
def labelled(root, model, data, tmp_path_factory):
    """What `mlanet label` writes, of the photos."""
    from mlanet.fitting.labels import label_faces

    with np.load(data / "aflw_train" / "labels.npz") as file:
        names, points = file["name"], file["pts68_px"]
    labels = label_faces(model, points)
    accepted = labels.accepted.copy()
    accepted[1] = False
    columns = {n: getattr(labels, n) for n in type(labels).__slots__} | {"accepted": accepted}
    np.savez(root / "fits.npz", name=names, face_model=np.array(model.name), **columns)
    return columns | {"name": names}


def test_fitted_labels_are_known_where_they_were_accepted(root, model, labelled, tiny):
    faces = LabelledFaces(root, 4, [SourceConfig("aflw_train", labels="fits.npz")])
    source = faces.sources[0]
    rejected, accepted = source[1], source[2]
    assert rejected.coefficients is None
    for name in ("identity", "expression", "rotation", "translation"):
        cut = model.layout.slices[name]
        assert accepted.known[cut].all()
        np.testing.assert_array_equal(accepted.coefficients[cut], labelled[name][2])
    assert not accepted.known[model.layout.slices["albedo"]].any()
    assert not accepted.known[model.layout.slices["lighting"]].any()
    left, top, right, _ = labelled["box_px"][2]
    assert accepted.square_px == pytest.approx((left, top, right - left))
    batch = faces.training_batch(0, 64, replace(tiny, sources=()))
    assert batch.known.any()


def test_labels_go_with_their_pictures_where_some_were_left_out(root, model, labelled, tmp_path):
    """Rows of `labels.npz` that cannot be used have labels all the same."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in (root / "aflw_train").glob("*.tar"):
        (folder / path.name).symlink_to(path)
    with np.load(root / "aflw_train" / "labels.npz") as file:
        arrays = {name: file[name] for name in ("name", "pts68_px")}
    arrays["pts68_px"][0] = np.nan
    np.savez(folder / "labels.npz", **arrays)
    residual = labelled["residual_percent"].copy()
    residual[0] = np.inf
    fits = {**labelled, "residual_percent": residual, "face_model": np.array(model.name)}
    np.savez(tmp_path / "fits.npz", **fits)
    source = folder_source(folder, model, tmp_path / "fits.npz")
    assert source.dataset.names.tolist() == labelled["name"][1:].tolist()
    cut = model.layout.slices["identity"]
    assert source[0].coefficients is None
    np.testing.assert_array_equal(source[1].coefficients[cut], labelled["identity"][2])
    assert source[1].square_px[0] == pytest.approx(labelled["box_px"][2, 0])
    np.savez(tmp_path / "fits.npz", **{k: v[:0] if np.ndim(v) else v for k, v in fits.items()})
    with pytest.raises(DataError, match=r"labels of other pictures.*named 1 times, but 0"):
        folder_source(folder, model, tmp_path / "fits.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"face_model": np.array("basel")}, "face model basel"),
        ({"name": np.arange(12).astype(str)}, "labels of other pictures"),
        ({"box_px": np.zeros((3, 4))}, "differ in length"),
    ],
)
def test_labels_of_something_else_are_refused(root, labelled, model, change, message):
    arrays = {**labelled, "face_model": np.array(model.name), **change}
    np.savez(root / "other.npz", **arrays)
    with pytest.raises(DataError, match=message):
        LabelledFaces(root, 4, [SourceConfig("aflw_train", labels="other.npz")])


@pytest.fixture(scope="module")
def joined(root, labelled, model):
    """What `mlanet label --network` writes: points of its own, who is left out, telling faces."""
    with np.load(root / "aflw_train" / "labels.npz") as file:
        points = file["pts68_px"][..., :2] + 1.0
    used, telling = np.arange(12) != 5, np.isin(np.arange(12), [0, 2, 5, 7])
    points[5] = 0.0
    columns = {"landmarks_px": points, "used": used, "telling": telling & used}
    arrays = labelled | columns | {"face_model": np.array(model.name)}
    np.savez(root / "joined.npz", **arrays)
    return arrays


def test_points_of_labels_take_the_place_of_the_data_sets(root, model, joined):
    source = folder_source(root / "aflw_train", model, root / "joined.npz")
    assert not source.with_depth
    np.testing.assert_array_equal(source[2].landmarks_px, joined["landmarks_px"][2])
    assert source[2].jaw_on_surface
    cut = model.layout.slices["identity"]
    np.testing.assert_array_equal(source[2].coefficients[cut], joined["identity"][2])
    other = folder_source(root / "aflw_train", model, root / "fits.npz")
    assert other.fingerprint != source.fingerprint


def test_faces_that_labels_leave_out_are_neither_trained_with_nor_held_out(root, joined):
    parts = [SourceConfig("aflw_train", labels="joined.npz")]
    for every, held_out in ((4, [0, 4, 8]), (5, [0, 10])):
        faces = LabelledFaces(root, every, parts)
        assert [index for _, index in faces.held_out] == held_out
        members = {index for _, index in faces.training}
        assert members == set(range(12)) - {5, *held_out}


def test_a_source_of_telling_faces_shares_its_folder_with_the_others(root, joined, tiny):
    both = SourceConfig("aflw_train", 0.5, labels="joined.npz")
    config = replace(tiny, held_out=4, sources=(both, replace(both, telling=True)))
    faces = LabelledFaces.of(config, root)
    assert len(faces.sources) == 1
    assert [pool.members for pool in faces.labelled][1] == [(0, 2), (0, 7)]
    assert faces.held_out == [(0, 0), (0, 4), (0, 8)]
    assert [name for name, _, _ in faces.description] == ["aflw_train", "aflw_train (telling)"]
    assert len(faces.training_batch(0, 32, config)) == config.batch_size


def test_telling_faces_need_labels_that_name_them(root, labelled):
    with pytest.raises(ConfigurationError, match="telling: only labels"):
        SourceConfig("aflw_train", telling=True)
    with pytest.raises(DataError, match="aflw_train: telling: the labels do not say"):
        LabelledFaces(root, 4, [SourceConfig("aflw_train", labels="fits.npz", telling=True)])


@pytest.fixture
def people(root, tmp_path, model):
    """The twelve crops as pictures of five people."""
    folder = tmp_path / "people"
    shutil.copytree(root / "aflw_train", folder)
    who = np.array([f"p{k}" for k in (0, 1, 2, 0, 1, 2, 0, 3, 0, 4, 2, 0)])
    with np.load(folder / "labels.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(folder / "labels.npz", **arrays, identity=who)
    return tmp_path, who


def test_pictures_of_a_person_come_together(people, tiny):
    root, who = people
    source = SourceConfig("people", together=2)
    config = replace(tiny, held_out=20, batch_size=11, sources=(source,))
    faces = LabelledFaces.of(config, root)
    (pool,) = faces.labelled
    assert faces.held_out == [(0, 0)]
    orders = []
    for epoch in range(3):
        picks = pool.picks(3, 11 * epoch, 11 * epoch + 11)
        assert {one for one, _ in picks} == {epoch}
        shown = [who[pool.members[pick][1]] for _, pick in picks]
        assert sorted(pick for _, pick in picks) == list(range(11))
        runs = [len(list(group)) for _, group in itertools.groupby(shown)]
        seen = np.unique(who[1:], return_counts=True)[1]
        assert sum(runs) == 11
        assert len(runs) <= sum(-(-count // 2) for count in seen)
        orders.append(shown)
    assert orders[0] != orders[1]
    batch = faces.training_batch(0, 32, config)
    numbers = {name: person_number(name) for name in who}
    assert batch.person.tolist() == [numbers[name] for name in orders_of(pool, who, config.seed)]


def orders_of(pool, who, seed):
    return [who[pool.members[pick][1]] for _, pick in pool.picks(seed, 0, 11)]


def test_without_names_nobody_comes_together(root, tiny):
    config = replace(tiny, held_out=4, sources=(SourceConfig("aflw_train", together=3),))
    with pytest.raises(DataError, match="aflw_train: together: nobody knows who is shown"):
        LabelledFaces.of(config, root)
    with pytest.raises(ConfigurationError, match="together"):
        SourceConfig("aflw_train", together=0)


def test_pictures_without_landmarks_of_their_own_are_learnt_with_those_of_labels(
    root, joined, model, tmp_path
):
    (tmp_path / "plain").mkdir()
    for path in (root / "aflw_train").glob("*.tar"):
        (tmp_path / "plain" / path.name).symlink_to(path)
    np.savez(tmp_path / "plain" / "labels.npz", name=joined["name"], person=joined["name"])
    source = folder_source(tmp_path / "plain", model, root / "joined.npz")
    np.testing.assert_array_equal(source[3].landmarks_px, joined["landmarks_px"][3])
    assert folder_source(tmp_path / "plain", model)[3].landmarks_px is None


def test_points_without_word_of_who_is_used_are_refused(root, joined, model, tmp_path):
    arrays = {name: values for name, values in joined.items() if name != "used"}
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(DataError, match="'used' is missing"):
        folder_source(root / "aflw_train", model, tmp_path / "odd.npz")


def photographic(root, model, folder, albedo, name="photo"):
    """The rendered heads again, as if drawn with the photographic albedo, or another one."""
    layout = model.layout
    with np.load(root / "heads" / "labels.npz") as file:
        arrays = dict(file)
    start, stop = layout.slices["albedo"].start, layout.slices["albedo"].stop
    own = arrays["coefficients"]
    other = np.concatenate([own[:, :start], albedo, own[:, stop:]], axis=1)
    folder.mkdir()
    for path in (root / "heads").glob("*.tar"):
        (folder / path.name).symlink_to(path)
    np.savez(folder / "labels.npz", **(arrays | {"coefficients": other.astype(np.float32)}))
    counts = {
        "identity": layout.identity,
        "expression": layout.expression,
        "albedo": albedo.shape[1],
    }
    text = json.dumps(describe(model, albedo=name, layout=counts))
    (folder / "dataset.json").write_text(text)
    return own


def test_the_photographic_albedo_is_known_as_the_models_own(root, model, tiny, tmp_path):
    photo = AlbedoModel.load()
    colors = np.random.default_rng(0).normal(size=(9, len(photo.names))).astype(np.float32)
    own = photographic(root, model, tmp_path / "heads", colors)
    face = LabelledFaces(tmp_path, 4, [SourceConfig("heads")]).sources[0][3]
    albedo = model.layout.slices["albedo"]
    assert face.known.all()
    np.testing.assert_array_equal(face.coefficients[: albedo.start], own[3, : albedo.start])
    np.testing.assert_array_equal(face.coefficients[albedo.stop :], own[3, albedo.stop :])
    np.testing.assert_array_equal(face.coefficients[albedo], photo.carried(colors, model)[3])


@pytest.mark.parametrize(
    ("name", "message"),
    [("photo", "this albedo has 48 modes"), ("open", r"7 albedo coefficients instead of \d+")],
)
def test_modes_that_an_albedo_lacks_are_refused(root, model, tiny, tmp_path, name, message):
    photographic(root, model, tmp_path / "heads", np.zeros((9, 7)), name)
    with pytest.raises(DataError, match=rf"dataset\.json: {message}"):
        LabelledFaces(tmp_path, 4, [SourceConfig("heads")])


def test_coefficients_of_an_unknown_albedo_are_not_known(root, model, tiny, tmp_path):
    own = photographic(root, model, tmp_path / "heads", np.full((9, 7), 5.0), "other")
    face = LabelledFaces(tmp_path, 4, [SourceConfig("heads")]).sources[0][3]
    albedo = model.layout.slices["albedo"]
    assert not face.known[albedo].any()
    assert face.known[: albedo.start].all()
    assert face.known[albedo.stop :].all()
    np.testing.assert_array_equal(face.coefficients[albedo.stop :], own[3, albedo.stop :])


@pytest.mark.parametrize(
    "text", [None, "no json", "{}", '{"face_model": 3}', json.dumps({"layout": {}})]
)
def test_coefficients_that_nobody_describes_are_refused(root, tmp_path, text):
    folder = tmp_path / "heads"
    folder.mkdir()
    for path in (root / "heads").iterdir():
        if path.name != "dataset.json":
            (folder / path.name).symlink_to(path)
    if text is not None:
        (folder / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json: .*what the coefficients are"):
        LabelledFaces(tmp_path, 4, [SourceConfig("heads")])


def test_a_batch_too_small_for_its_sources_is_refused(root, tiny):
    parts = tuple(
        SourceConfig(name, share)
        for name, share in (("aflw_train", 0.28), ("heads", 0.24), ("profiles", 0.24))
    )
    config = replace(tiny, batch_size=2, sources=(*parts, SourceConfig("ytf68", 0.24)))
    with pytest.raises(ConfigurationError, match="batch_size: 2 samples are too few for 4"):
        LabelledFaces.of(config, root)


def test_of_a_source_only_some_coefficients_may_be_known(root, model):
    folder = folder_source(root / "heads", model, known=("rotation", "lighting"))
    face = folder[0]
    slices = model.layout.slices
    assert face.known[slices["rotation"]].all()
    assert face.known[slices["lighting"]].all()
    assert face.known.sum() == 6 + 27
    assert face.coefficients[slices["identity"]].any()  # they still say how the picture changes
    with pytest.raises(DataError, match="nothing is known of albedo"):
        folder_source(root / "aflw_train", model, known=("albedo",))
