"""Every official config of MMOCR 0.x loads, or is refused with one line that names what is not there yet."""

from pathlib import Path

import pytest

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.errors import ConfigError

LOADED = ("dbnet_r18_", "panet_r", "psenet_r", "crnn_academic", "crnn_toy")
"""How the names begin of those that load."""
REFUSED = {"dbnet_r50dcnv2": "DCNv2", "dbnetpp": "DCNv2", "crnn_tps": "TPSPreprocessor"}
"""What one is refused for whose name begins so; the others name their architecture."""


def test_every_official_config_loads_or_names_what_is_not_there_yet(extra_data_dir: Path) -> None:
    folders = (extra_data_dir / "golden_zoo" / "v0" / "configs", extra_data_dir / "golden" / "configs")
    paths = [
        path for folder in folders for path in folder.rglob("*.py") if "_base_" not in path.relative_to(folder).parts
    ]
    loaded = 0
    for path in paths:
        if path.name.startswith(LOADED):
            load_config(path)
            loaded += 1
            continue
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        expected = next((text for part, text in REFUSED.items() if path.name.startswith(part)), None)
        assert (expected or "the architecture is not supported") in caught.value.message
        assert "\n" not in caught.value.message
    assert loaded == 16
