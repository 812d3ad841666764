"""What every family must have: a family that lacks one of these fails here by name.

Export, comparison, engines, float16 and prediction are tested for `tests.support.models.ARCHITECTURES`, which are the
families.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from ocrdeploy.batches import blank_batch
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.errors import UsageError
from ocrdeploy.exporting import ExportRequest, export_model
from ocrdeploy.families import FAMILIES, Family, family_of
from ocrdeploy.families.family import AS_TRAINED
from ocrdeploy.results import Recognition
from ocrdeploy.running.models import open_predictor
from ocrdeploy.steps import output_size, typical_size
from tests.support.models import config_text, write_model
from tests.support.zoo import RECORDED

OFFICIAL_OF = {
    "DBNet": "dbnet_",
    "PSENet": "psenet_",
    "PANet": "panet_",
    "FCENet": "fcenet_",
    "TextSnake": "textsnake_",
    "CRNN": "crnn_",
    "SVTR": "svtr-",
    "ABINet": "abinet",
    "NRTR": "nrtr_",
    "SATRN": "satrn_",
    "MASTER": "master_",
    "RobustScanner": "robustscanner_",
    "SAR": "sar_",
    "ASTER": "aster_",
}
"""How the names of a family's official configs begin."""


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family[Any]:
    found: Family[Any] = request.param
    return found


def load(family: Family[Any], folder: Path) -> Any:
    config = folder / "config.py"
    config.write_text(config_text(family.name.lower()))
    return load_config(config)


def test_it_has_a_room_of_its_name_and_is_found_by_what_configs_call_it(family: Family[Any]) -> None:
    room = importlib.import_module(f"ocrdeploy.families.{family.name.lower()}.config")
    assert room.FAMILY is family
    assert all(family_of(name, dialect) is family for dialect, name in family.names.items())


def test_it_has_recorded_networks_and_a_row_in_the_table_of_architectures(family: Family[Any]) -> None:
    assert any(model.name.startswith(OFFICIAL_OF[family.name]) for model in RECORDED)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"| {family.name} |" in readme


def test_its_network_gives_what_its_tensors_say(family: Family[Any], tmp_path: Path) -> None:
    config = load(family, tmp_path)
    every = [AS_TRAINED, *(msgspec.structs.replace(AS_TRAINED, **{name: True}) for name in _flags(family))]
    for options in every:
        (image, *others), outputs = config.tensors(options)
        size = typical_size(config.preprocessing)
        assert size is not None
        shape = (2, *output_size(size, config.preprocessing))
        _, fixed = config.tensors(options, shape)
        with torch.inference_mode():
            given = build_network(config, options)(torch.zeros(shape), *(torch.ones(shape[0]) for _ in others))
        arrays = [tensor.numpy() for tensor in (given if isinstance(given, tuple) else (given,))]
        assert [array.shape for array in arrays] == [tensor.shape for tensor in fixed]
        assert [array.dtype.name for array in arrays] == [tensor.dtype for tensor in outputs]
        assert [tensor.name for tensor in outputs] == [tensor.name for tensor in fixed]
        assert image.multiple_of in (None, family.size_multiple)


def _flags(family: Family[Any]) -> list[str]:
    return [name for name in family.options if name != "upsample"]


def test_options_that_change_nothing_of_its_network_are_refused(family: Family[Any], tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(config_text(family.name.lower()))
    given: dict[str, Any] = {"upsample": "bilinear", "all_outputs": True, "decode_in_graph": True}
    for name in given.keys() - set(family.options):
        request = ExportRequest(config, tmp_path / "none.pth", tmp_path / "m.onnx", **{name: given[name]})
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')}"):
            export_model(request)


def test_degenerate_and_empty_images_give_results(family: Family[Any], seeded_onnx: Callable[[str], Path]) -> None:
    with open_predictor(seeded_onnx(family.name.lower())) as predictor:
        sizes = ((1, 1), (1, 300), (300, 1), (64, 64))
        results = predictor([np.full((*size, 3), 127, np.uint8) for size in sizes])
    assert [isinstance(result, Recognition) for result in results] == [family.task == "recog"] * len(sizes)


def test_a_static_model_says_and_takes_its_one_size(family: Family[Any], tmp_path: Path) -> None:
    files = write_model(tmp_path, family.name.lower())
    report = export_model(ExportRequest(files.config, files.checkpoint, tmp_path / "model.onnx"))
    assert report.spec.input.shape == report.example_shape
    with open_predictor(report.path) as predictor:
        outputs = predictor.infer(blank_batch(report.spec, report.example_shape))
    assert [outputs[tensor.name].shape for tensor in report.spec.outputs] == [
        tensor.shape for tensor in report.spec.outputs
    ]


def test_to_know_the_families_is_not_to_import_pytorch() -> None:
    program = "import sys, ocrdeploy.descriptions.loading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
