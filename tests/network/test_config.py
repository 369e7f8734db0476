import json
import subprocess
import sys
from dataclasses import replace

import pytest

from mlanet.errors import ConfigurationError
from mlanet.network import PRESETS, NetworkConfig
from mlanet.network.config import BASEL_LAYOUT, OPEN_LAYOUT


def test_layouts_count_what_their_models_have():
    assert BASEL_LAYOUT.size == 257  # as the paper counts
    assert OPEN_LAYOUT.size == 100 + 52 + 21 + 6 + 3 + 27


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_dict_round_trip_through_json(name):
    config = replace(PRESETS[name], attention="none", input_size=96)
    assert NetworkConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize("size", [0, 31, 100, -32])
def test_input_size_is_a_multiple_of_the_last_stride(size):
    with pytest.raises(ConfigurationError, match="input_size"):
        NetworkConfig(input_size=size)


@pytest.mark.parametrize("field", ["attention", "fusion"])
def test_a_kind_that_does_not_exist_is_named(field):
    with pytest.raises(ConfigurationError, match=f"{field}: 'sideways' is none of"):
        NetworkConfig(**{field: "sideways"})


@pytest.mark.parametrize(
    "change", [{"unknown": 1}, {"layout": {"identity": 1}}, {"layout": None}, {"mean": 0.5}]
)
def test_malformed_dict_is_refused(change):
    with pytest.raises(ConfigurationError):
        NetworkConfig.from_dict(NetworkConfig().as_dict() | change)


def test_missing_field_is_refused():
    values = NetworkConfig().as_dict()
    del values["layout"]
    with pytest.raises(ConfigurationError):
        NetworkConfig.from_dict(values)


def test_configuration_and_runtime_import_without_torch():
    code = (
        "import sys, mlanet.network.config, mlanet.network.runtime;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_package_names_unknown_attributes():
    import mlanet.network

    with pytest.raises(AttributeError, match="no attribute 'Transformer'"):
        _ = mlanet.network.Transformer
