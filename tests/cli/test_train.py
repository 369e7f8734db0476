"""`mlanet train` and `mlanet export` where they need no training: usage, plans, errors."""

import json
from dataclasses import asdict, fields, replace

import pytest

pytest.importorskip("torch", reason="needs the extra train")

from mlanet.cli import main
from mlanet.cli.configuration import documented
from mlanet.extras import install_command
from mlanet.network import PRESETS
from mlanet.training import (
    AugmentationConfig,
    BlockDeviations,
    BlockWeights,
    LossWeights,
    RenderedWeights,
    SourceConfig,
    Stage,
    TrainingConfig,
    paper_weights,
)


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def error_of(capsys):
    text = capsys.readouterr().err.strip()
    assert "\n" not in text
    return text


@pytest.fixture
def resolved(monkeypatch):
    """The configuration that the words of `mlanet train` give; nothing is trained."""
    given = []

    def record(configuration, **_):
        given.append(configuration)
        return {}

    monkeypatch.setattr("mlanet.training.loop.train", record)

    def of(*words):
        assert run("train", "--data", "d", *words) == 0
        return given[-1]

    return of


def test_options_change_the_default(resolved, tmp_path):
    assert resolved("--out", tmp_path) == TrainingConfig()
    words = ("--steps", 70, "--seed", 3, "--batch-size", 8, "--learning-rate", 0.1, "--model", "m")
    expected = TrainingConfig(
        steps=70, seed=3, batch_size=8, learning_rate=0.1, face_model="m", preset="small"
    )
    assert resolved("--out", tmp_path, "--preset", "small", *words) == expected


def test_options_change_single_fields_of_a_file(resolved, tmp_path):
    file = tmp_path / "given.json"
    base = TrainingConfig(
        seed=6,
        frozen_norms=True,
        weights=LossWeights(light=3.0),
        sources=(SourceConfig("a", 0.5), SourceConfig("b", 0.5)),
    )
    file.write_text(json.dumps(asdict(base)))
    given = ("--out", tmp_path / "out", "--config", file)
    assert resolved(*given) == base
    found = resolved(
        *given,
        *("--weights.landmarks", 2, "--augmentation.flip", 0, "--stages.0.input-size", 64),
        *("--sources.1.labels", "fits.npz", "--no-frozen-norms", "--block-weights.albedo", 0.5),
    )
    assert found == replace(
        base,
        weights=LossWeights(light=3.0, landmarks=2.0),
        augmentation=AugmentationConfig(flip=0.0),
        stages=(replace(base.stages[0], input_size=64), base.stages[1]),
        sources=(base.sources[0], replace(base.sources[1], labels="fits.npz")),
        frozen_norms=False,
        block_weights=BlockWeights(albedo=0.5),
    )
    assert resolved(*given, "--frozen-norms") == base


def test_a_file_comes_before_the_runs_configuration(resolved, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"training": asdict(TrainingConfig(seed=5))}))
    assert resolved("--out", tmp_path).seed == 5
    given = tmp_path / "given.json"
    given.write_text('{"seed": 6}')
    assert resolved("--out", tmp_path, "--config", given).seed == 6


def test_the_papers_weights_are_those_of_the_preset_that_an_option_names(resolved, tmp_path):
    given = tmp_path / "paper.json"
    given.write_text('{"weights": "paper"}')
    found = resolved("--out", tmp_path, "--config", given, "--preset", "paper")
    assert (found.weights, found.unlabelled_weights) == paper_weights(PRESETS["paper"].layout)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", -1), "steps must be at least 1, got -1"),
        (
            ("--preset", "smal"),
            f"preset: 'smal' is none of {', '.join(PRESETS)}; did you mea",
        ),
        (("--weights.light", -1), "light must be at least 0, got -1.0"),
    ],
)
def test_values_that_contradict_are_one_line(capsys, tmp_path, words, message):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", *words) == 1
    assert message in error_of(capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"stpes": 3}', "unknown field stpes; did you mean steps?"),
        (
            '{"weights": {"landmark": 3}}',
            "weights: unknown field landmark; did you mean landmarks?",
        ),
    ],
)
def test_unknown_keys_of_a_file_are_named(capsys, tmp_path, content, message):
    path = tmp_path / "given.json"
    path.write_text(content)
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", "--config", path) == 1
    assert error_of(capsys) == f"mlanet: {path}: {message}"


@pytest.mark.parametrize("verb", ["train", "ablate"])
def test_help_shows_every_field_with_its_docstring(capsys, verb):
    assert run(verb, "--help") == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for prefix, kind in (
        ("--", TrainingConfig),
        ("--weights.", LossWeights),
        ("--block-weights.", BlockWeights),
        ("--block-deviations.", BlockDeviations),
        ("--unlabelled-weights.", RenderedWeights),
        ("--augmentation.", AugmentationConfig),
        ("--stages.0.", Stage),
        ("- ", SourceConfig),
    ):
        told = documented(kind)
        assert [each.split(":")[0] for each in told] == [item.name for item in fields(kind)]
        for each in told:
            name, _, doc = each.partition(": ")
            if prefix == "- ":
                assert f"- {each}" in text
            elif f"{prefix}{name}" not in ("--stages", "--sources", "--unlabelled_sources"):
                assert f"{prefix}{name}".replace("_", "-") in text
                assert doc.rstrip(".") in text, name


@pytest.mark.parametrize("verb", [("train", "--data", "d"), ("export", "--checkpoint", "c")])
def test_missing_packages_are_one_line(monkeypatch, capsys, tmp_path, verb):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda name: None)
    assert run(*verb, "--out", tmp_path / "out") == 2
    assert error_of(capsys) == f"mlanet: training needs: {install_command('train')}"


def test_missing_data_is_one_line(capsys, tmp_path):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", "--dry-run") == 1
    assert "holds none of aflw_train, ytf68" in error_of(capsys)
    assert not (tmp_path / "out").exists()


def test_wrong_threads_are_one_line(capsys, tmp_path):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", "--threads", 0) == 2
    assert "threads" in error_of(capsys)


def test_missing_checkpoint_is_one_line(capsys, tmp_path):
    code = run("export", "--checkpoint", tmp_path / "c.safetensors", "--out", tmp_path / "n.onnx")
    assert code == 1
    assert "c.safetensors: there is no such checkpoint" in error_of(capsys)
