"""The commands of docs/how-to/train-recipe.md on a few rendered heads, and some steps of it."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra train")

from mlanet.cli import main
from mlanet.morphable import load_model
from mlanet.synthesis import RenderedHeads, write_samples

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "mobile.json"
PAGE = ROOT / "docs" / "how-to" / "train-recipe.md"
SMALL = {
    "label": "--processes 1",
    "synthesize": "--count 3 --size 64",
    "train": "--steps 2 --batch-size 8",
}
COLUMNS = {"aflw_train": ("pts68_px", "rotation"), "ytf68": ("pts68_px",), "portraits": ()}


def run(words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0, words


def write_data(root, save_answers):
    """Three folders and the teacher's files; every second face has an eye shut."""
    (root / "teacher").mkdir(parents=True)
    for seed, (folder, columns) in enumerate(COLUMNS.items()):
        heads = RenderedHeads(load_model(), size=64, count=4, seed=seed)
        write_samples(heads, root / folder, {})
        (root / folder / "dataset.json").unlink()
        with np.load(root / folder / "labels.npz") as file:
            arrays = {name: file[name] for name in ("name", "pts68_px", "rotation")}
        kept = {name: arrays[name] for name in ("name", *columns)}
        np.savez(root / folder / "labels.npz", identity=np.array(list("aabb")), **kept)
        save_answers(
            root / "teacher" / f"{folder}.npz",
            arrays["name"].tolist(),
            arrays["pts68_px"][..., :2],
            blendshapes=np.array([[0.1], [0.7], [0.1], [0.7]]),
            blendshape_names=np.array(["eyeBlinkLeft"]),
        )


def test_the_recipe_goes_from_photos_to_a_checkpoint(tmp_path, monkeypatch, save_answers):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "DATA", save_answers)
    (tmp_path / "recipes").symlink_to(RECIPE.parent)
    (block,) = (part for part in PAGE.read_text().split("```") if "mlanet train" in part)
    commands = block.replace("\\\n", " ").splitlines()[1:]
    verbs = [command.split()[1] for command in commands if command.startswith("mlanet")]
    assert verbs == ["label", "label", "label", "synthesize", "train"]
    for verb, command in zip(verbs, (c for c in commands if c.startswith("mlanet")), strict=True):
        words = shlex.split(command.replace(" --backbone weights/mobilenet_v2-b0353104.pth", ""))
        run([*words[1:], *SMALL[verb].split()])
    with np.load(tmp_path / "DATA" / "ytf68_labels.npz") as labels:
        assert labels["used"].tolist() == [False, False, True, True]
    with np.load(tmp_path / "DATA" / "aflw_train_labels.npz") as labels:
        assert labels["telling"].any()
    resolved = json.loads((tmp_path / "runs" / "recipe" / "config.json").read_text())
    assert [source["telling"] for source in resolved["training"]["sources"]][1]
    assert (tmp_path / "runs" / "recipe" / "checkpoint.safetensors").is_file()
