from dataclasses import replace
from pathlib import Path

import pytest

from ocrdeploy.errors import ConfigError, UsageError
from ocrdeploy.hardware import CPU, Device
from ocrdeploy.running.opening import Opening
from ocrdeploy.whole_numbers import MAX_THREADS


def test_a_config_is_read_once_also_by_another_opening_made_of_the_first(sample_dir: Path) -> None:
    config = sample_dir / "dbnet_sample.py"
    opening = Opening(config=config)
    assert replace(opening, backend="torch").read_config(config) is opening.read_config(config)
    assert Opening(config=config).read_config(config) is not opening.read_config(config)
    with pytest.raises(ConfigError, match="DBNet is a model for task 'det', not 'recog'"):
        opening.read_config(config, "recog")


def test_what_is_known_of_a_file_is_kept() -> None:
    opening = Opening()
    assert opening.source(Path("a.onnx")) is replace(opening, device="cpu").source(Path("a.onnx"))


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, MAX_THREADS + 1, 10**20])
def test_numbers_of_threads_that_make_no_sense_are_refused(threads: int) -> None:
    with pytest.raises(UsageError, match=f"a whole number from 1 to {MAX_THREADS}, got {threads}"):
        Opening(threads=threads)


def test_devices_are_looked_at_at_once() -> None:
    assert [Opening(device=name).place for name in ("cpu", "cuda:1", None)] == [CPU, Device(1), None]
    with pytest.raises(UsageError, match="a device is cpu, cuda or cuda:N, got 'tpu'"):
        Opening(device="tpu")
