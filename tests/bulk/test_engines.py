"""Where processes die, storage fails or machines go: the same rows on this machine and on Ray."""

import logging
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlanet.bulk import ENGINES, Batch, Settings, run
from mlanet.cli import main
from mlanet.errors import MlanetError

CLUSTER = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster(deadly_files):
    """Ray with one node, which this process is connected to."""
    ray = pytest.importorskip("ray", reason="needs the extra bulk with Ray")
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args=CLUSTER)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    if request.param == "ray":
        request.getfixturevalue("cluster")
    return ENGINES[request.param]


def rows(folder, kind="pictures"):
    return pq.read_table(folder / kind).to_pylist()


def tables(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))
    }


def test_a_picture_at_which_processes_die_is_left_out(deadly, tmp_path, engine):
    source = deadly("a.jpg", "deadly.jpg", "once.jpg", "strange.jpg")
    tally, failures = run(Batch(tmp_path / "out", [source], Settings()), 1, engine=engine)
    assert (tally.pictures, failures) == (4, 2)
    first, dead, once, strange = rows(tmp_path / "out")
    assert dead["error"] == "the process that read it died (SIGKILL)"
    assert [row["faces"] for row in (first, once)] == [1, 1]
    assert strange["error"] == "unexpected SystemError: nobody thought of this"


def test_an_output_that_vanishes_ends_the_run_with_one_line(deadly, tmp_path, engine):
    batch = Batch(tmp_path / "out", [deadly("a.jpg", "vanish.jpg")], Settings())
    with pytest.raises(MlanetError, match=r"out/faces/part-00000000\.parquet: No such file"):
        run(batch, 1, engine=engine)


def test_an_output_that_is_full_ends_the_run_with_one_line(deadly, tmp_path, engine):
    batch = Batch(f"full://{tmp_path}/out", [deadly("a.jpg")], Settings())
    with pytest.raises(MlanetError) as failed:
        run(batch, 1, engine=engine)
    place = f"full://{tmp_path}/out/faces/part-00000000.parquet"
    assert str(failed.value) == f"{place}: No space left on device"
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == [
        "mlanet-batch.json"
    ]
    assert not list((tmp_path / "out" / "faces").iterdir())


def test_shards_that_cannot_be_used_are_told_and_all_else_is_done(
    photos, tmp_path, cluster, capsys
):
    (tmp_path / "text.tar").write_text("no tar")
    pq.write_table(pa.table({"path": ["a.jpg"]}), tmp_path / "paths.parquet")
    bad = [str(tmp_path / name) for name in ("text.tar", "paths.parquet")]
    good = [str(path) for path in sorted(photos.iterdir())[:2]]
    words = [*bad, *good, "--out", str(tmp_path / "out"), "--engine", "ray", "--processes", "1"]
    with pytest.raises(SystemExit) as stop:
        main(["batch", *words])
    assert stop.value.code == 1
    said = capsys.readouterr()
    tar, table = (line for line in said.err.splitlines() if line.startswith("mlanet: "))
    assert "text.tar: not a readable uncompressed tar" in tar
    assert "paths.parquet: has no column of pictures' bytes among path" in table
    assert said.out.startswith("2 photos: 2 faces")


def test_a_picture_that_takes_for_ever_is_left_out(deadly, tmp_path, monkeypatch):
    monkeypatch.setattr("mlanet.bulk.running.PICTURE_S", 3.0)
    _, failures = run(Batch(tmp_path / "out", [deadly("endless.jpg")], Settings()), 1)
    assert failures == 1
    assert rows(tmp_path / "out")[0]["error"] == "takes more than 3 s"


def test_a_worker_and_a_node_that_are_killed_cost_time_only(deadly, tmp_path, cluster):
    names = [f"{number:02d}.jpg" for number in range(12)]
    names[5] = "orphan.jpg"
    whole = deadly(*names)
    sources = [whole.part(start, start + 2) for start in range(0, len(names), 2)]
    node = cluster.add_node(**CLUSTER)
    cluster.wait_for_nodes()

    def lose_node(tally):
        if tally.pictures == 4:
            cluster.remove_node(node, allow_graceful=False)

    tally, failures = run(
        Batch(tmp_path / "ray", sources, Settings()), 2, lose_node, ENGINES["ray"]
    )
    assert (tally.pictures, failures) == (len(names), 0)
    assert (tmp_path / "orphan.jpg.met").exists()
    run(Batch(tmp_path / "local", sources, Settings()), 1)
    assert tables(tmp_path / "ray") == tables(tmp_path / "local")
    assert len(rows(tmp_path / "ray")) == len(names)
    assert not list((tmp_path / "ray").rglob(".mlanet-*"))
