import numpy as np
import pytest

from mlanet.evaluation.portraits.scoring import (
    FEWEST_FACES,
    Portraits,
    groups_of,
    portraits_report,
)

COUNT = 60


@pytest.fixture
def portraits():
    """Two groups; jaws of the second are predicted upside down, and its points are worse."""
    rng = np.random.default_rng(0)
    second = np.arange(COUNT) >= FEWEST_FACES * 2
    jaw = rng.uniform(size=(COUNT, 1))
    return Portraits(
        names=np.array([f"{k}.webp" for k in range(COUNT)]),
        groups=np.where(second, "b women", "a men"),
        error_percent=np.where(second, 3.0, 2.0) + 0.1 * rng.normal(size=COUNT),
        predicted={"jawOpen": np.where(second[:, None], 1.0 - jaw, jaw)},
        teacher={"jawOpen": jaw},
    )


def test_groups_are_told_apart(portraits):
    table = portraits_report(portraits).table("By group")
    assert table.values("group") == ["all", "a men", "b women"]
    assert table.values("faces") == [COUNT, 2 * FEWEST_FACES, COUNT - 2 * FEWEST_FACES]
    assert table.value("a men", "distance") == pytest.approx(2.0, abs=0.05)
    assert table.value("b women", "distance") == pytest.approx(3.0, abs=0.08)
    assert table.value("a men", "standard error") == pytest.approx(0.1 / np.sqrt(40), rel=0.4)
    assert table.value("a men", "jawOpen, correlation") == pytest.approx(1.0)
    assert table.value("b women", "jawOpen, correlation") == pytest.approx(-1.0)


def test_of_few_faces_no_correlation_is_said(portraits):
    few = np.where(np.arange(COUNT) < 3, "few", portraits.groups)
    some = Portraits(
        portraits.names, few, portraits.error_percent, portraits.predicted, portraits.teacher
    )
    assert portraits_report(some).table("By group").value("few", "jawOpen, correlation") is None


def test_groups_have_the_names_of_their_source(tmp_path):
    path = tmp_path / "labels.npz"
    groups = {"source": np.array(["s", "t"]), "group": np.array(["f", ""])}
    np.savez(path, name=np.array(["1", "2"]), **groups)
    assert groups_of(path, ["2", "1"]).tolist() == ["t", "s f"]
