import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mlanet.errors import ConfigurationError
from mlanet.network import PRESETS
from mlanet.training import (
    BlockDeviations,
    BlockWeights,
    LossWeights,
    RenderedWeights,
    SourceConfig,
    Stage,
    TrainingConfig,
)
from mlanet.training.terms import KNOWN_TERMS, LABEL_TERMS, paper_weights


def written(tmp_path, values):
    path = tmp_path / "run.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_file_round_trip(tmp_path):
    config = TrainingConfig(
        steps=7, stages=(Stage(0.25, 32), Stage(0.75, 64)), weights=LossWeights(light=2.0)
    )
    assert TrainingConfig.read(written(tmp_path, asdict(config))) == config


def test_blocks_of_coefficients_round_trip(tmp_path):
    values = {"block_weights": {"expression": 9.0}, "block_deviations": {"lighting": 0.5}}
    config = TrainingConfig.read(written(tmp_path, values))
    assert config.block_weights == BlockWeights(expression=9.0)
    assert config.block_deviations == BlockDeviations(lighting=0.5)
    assert TrainingConfig.read(written(tmp_path, asdict(config))) == config
    with pytest.raises(ConfigurationError, match="lighting"):
        BlockDeviations(lighting=0.0)


def test_a_runs_own_file_is_a_configuration(tmp_path):
    config = TrainingConfig(seed=5)
    path = written(tmp_path, {"training": asdict(config), "torch": "2"})
    assert TrainingConfig.read(path) == config


def test_fields_that_are_not_given_keep_their_defaults(tmp_path):
    path = written(tmp_path, {"steps": 9, "weights": {"apertures": 1.0}})
    assert TrainingConfig.read(path) == TrainingConfig(steps=9, weights=LossWeights(apertures=1.0))


def test_attention_and_fusion_replace_the_presets():
    assert TrainingConfig().network() == PRESETS["mobile"]
    config = TrainingConfig(preset="small", attention="none", fusion="top-down")
    assert config.network() == replace(PRESETS["small"], attention="none", fusion="top-down")
    assert TrainingConfig(fusion="none").network() == replace(PRESETS["mobile"], fusion="none")


@pytest.mark.parametrize(
    "values",
    [
        "no json",
        "[1, 2]",
        {"step": 3},
        {"steps": 0},
        {"steps": "many"},
        {"steps": 2.5},
        {"seed": -1},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"stages": []},
        {"stages": [{"fraction": 0.5, "input_size": 64}]},
        {"stages": [{"fraction": 1.0, "input_size": 100}]},
        {"stages": [{"share": 1.0}]},
        {"weights": {"beauty": 1.0}},
        {"augmentation": 3},
        {"attention": "much"},
        {"fusion": ""},
    ],
)
def test_malformed_files_are_named(tmp_path, values):
    with pytest.raises(ConfigurationError, match=r"run\.json") as caught:
        TrainingConfig.read(written(tmp_path, values))
    assert "\n" not in str(caught.value)


def test_unlabelled_samples_may_be_all_that_is_compared(tmp_path):
    nothing = {"landmarks": 0.0, "apertures": 0.0, "photometric": 0.0}
    for other in ({"unlabelled": 0.5}, {"labelled_rendered": 1.0}):
        config = TrainingConfig.read(written(tmp_path, {"weights": nothing, **other}))
        assert not config.weights.any_of(LABEL_TERMS + KNOWN_TERMS)


def test_the_recipe_of_the_large_network_teaches_the_same_at_its_size():
    recipes = Path(__file__).parents[2] / "recipes"
    mobile, large = (TrainingConfig.read(recipes / f"{name}.json") for name in ("mobile", "large"))
    assert large.stages[-1].input_size == large.network().input_size == 224
    changed = ("preset", "stages", "learning_rate", "precision")
    same = {name: getattr(mobile, name) for name in changed}
    assert replace(large, **same) == mobile


def test_the_large_recipe_takes_the_public_data_that_its_page_names(tmp_path):
    root = Path(__file__).parents[2]
    page = (root / "docs" / "how-to" / "train-gpu.md").read_text(encoding="utf-8")
    (fields,) = re.findall(r"```json[^\n]*\n(.*?)```", page, re.DOTALL)
    recipe = json.loads((root / "recipes" / "large.json").read_text()) | json.loads(fields)
    (tmp_path / "public.json").write_text(json.dumps(recipe))
    read = TrainingConfig.read(tmp_path / "public.json")
    assert (read.preset, read.num_unlabelled) == ("large", read.batch_size // 2)
    assert [source.folder for source in read.unlabelled_sources] == ["CelebA"]


def test_changes_of_a_file_come_before_what_depends_on_them(tmp_path):
    path = tmp_path / "paper.json"
    path.write_text(json.dumps({"weights": "paper", "steps": 9}))
    read = TrainingConfig.read(path, {"preset": "paper", "steps": 3})
    assert (read.preset, read.steps) == ("paper", 3)
    assert (read.weights, read.unlabelled_weights) == paper_weights(PRESETS["paper"].layout)
    assert read.unlabelled_weights != TrainingConfig.read(path).unlabelled_weights


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": "many"}, "steps must be a whole number, got 'many'"),
        ({"steps": True}, "steps must be a whole number, got True"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"gradient_clip": float("inf")}, "gradient_clip must be a finite number"),
        ({"ema_decay": 1.5}, r"ema_decay must be in \[0, 1\], got 1.5"),
        ({"precision": "fp8"}, "precision must be one of 'no', 'bf16', 'fp16', got 'fp8'"),
        ({"frozen_stages": 5}, "frozen_stages must be"),
        ({"frozen_norms": 1}, "frozen_norms must be a bool, got 1"),
        ({"preset": "giant", "weights": "paper"}, "preset: 'giant' is none of"),
        ({"weights": {"beauty": 1.0}}, "weights: unknown field beauty"),
        ({"weights": {"light": -1.0}}, "weights: light must be at least 0, got -1.0"),
        (
            {"weights": {"landmarks": 0.0, "apertures": 0.0, "photometric": 0.0}},
            "weights: no term compares anything",
        ),
        ({"weights": "papr"}, "weights must be an object, got 'papr'"),
        ({"unlabelled_weights": {"photometric": None}}, "unlabelled_weights: photometric must be"),
        ({"augmentation": {"flip": 2.0}}, r"augmentation: flip must be in \[0, 1\]"),
        ({"stages": [{"fraction": 1.0}]}, r"stages\[0\]: .*input_size"),
        ({"stages": 3}, "stages must be a list"),
        ({"sources": [{"folder": "a", "share": 0.5}]}, "sources: the shares must add up to 1"),
        ({"sources": [{"folder": 3}]}, r"sources\[0\]: folder must be a str"),
        ({"sources": [{"labels": "x.npz"}]}, r"sources\[0\]: labels: rendered heads"),
        ({"unlabelled": 1.0}, r"unlabelled must be in \[0, 1\)"),
        ({"unlabelled": 0.999}, "unlabelled: leaves no labelled sample"),
        ({"batch_size": 6, "accumulation": 4}, "batch_size must be at least 2, and so must"),
        ({"batch_size": 9, "accumulation": 2}, "accumulation: 9 labelled and 0 unlabelled"),
    ],
)
def test_the_wrong_field_is_named(tmp_path, values, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        TrainingConfig.read(written(tmp_path, values))
    assert "\n" not in str(caught.value)


def test_nested_objects_round_trip(tmp_path):
    config = TrainingConfig(
        sources=(SourceConfig("aflw_train", 0.75, "fits.npz"), SourceConfig(share=0.25, heads=50)),
        unlabelled=0.5,
        unlabelled_weights=RenderedWeights(flip=0.5),
        precision="bf16",
    )
    assert TrainingConfig.read(written(tmp_path, asdict(config))) == config


def test_files_of_older_versions_are_read(tmp_path):
    """Fields that came later keep values under which a run does what it did."""
    later = ("sources", "unlabelled", "unlabelled_sources", "unlabelled_weights", "precision",
             "unlabelled_warmup", "labelled_rendered", "accumulation", "frozen_norms",
             "frozen_stages")  # fmt: skip
    values = {name: value for name, value in asdict(TrainingConfig()).items() if name not in later}
    values["weights"] = dict(list(values["weights"].items())[:8])
    assert TrainingConfig.read(written(tmp_path, values)) == TrainingConfig()


def test_runs_of_other_versions_are_refused(tmp_path):
    values = asdict(TrainingConfig()) | {"resident": False}
    path = written(tmp_path, {"training": values})
    message = "unknown field resident: a run of another version of mlanet"
    with pytest.raises(ConfigurationError, match=message) as caught:
        TrainingConfig.read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="unknown field resident"):
        TrainingConfig.read(written(tmp_path, values))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        TrainingConfig.read(tmp_path / "none.json")


def test_stages_follow_each_other():
    config = TrainingConfig(steps=10, stages=(Stage(0.3, 32), Stage(0.7, 64)))
    assert [config.input_size_at(step) for step in range(10)] == [32] * 3 + [64] * 7
    assert config.input_size_at(10) == 64


def test_what_is_known_of_a_source_is_checked():
    assert SourceConfig("aflw_train", known=["rotation"]).known == ("rotation",)
    with pytest.raises(ConfigurationError, match="known must be a list of identity"):
        SourceConfig("aflw_train", known=["pose"])
    with pytest.raises(ConfigurationError, match="known: of rendered heads"):
        SourceConfig(known=["rotation"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"seed": 1180591620717411303424}', "seed must be below"),
        ('{"learning_rate": NaN}', "learning_rate must be a finite number"),
        ('{"a\\u001b[31m\\nb": 1}', r"unknown field a\\x1b\[31m b"),
        ('{"augmentation": {"\\u202e": 1}}', "augmentation: unknown field"),
        ("[" * 5000, "nested"),
        ("null", "is a JSON object"),
        ('{"stages": [{"fraction": 1, "input_size": 1e400}]}', "input_size"),
    ],
)
def test_hostile_files_are_one_harmless_line(tmp_path, content, message):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=message) as caught:
        TrainingConfig.read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


def test_a_byte_order_mark_is_read_over(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"steps": 7}')
    assert TrainingConfig.read(path).steps == 7
