"""Writes docs/official-configs.md: each official config of MMOCR, and what is made of it.

    OCRDEPLOY_TEST_DATA=FOLDER python -m tools.official_configs

FOLDER holds the configs of MMOCR 0.6.3 in `golden/configs` and `golden_zoo/v0/configs`, those of 1.0.1 in
`golden_zoo/v1/configs`. Nobody writes in the page by hand: it says what reading the configs gives.
"""

import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocrdeploy.descriptions.loading import ModelConfig, load_config
from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.dialects.outline import Dialect, required_section
from ocrdeploy.errors import OcrDeployError, OcrDeployWarning
from ocrdeploy.model_spec import TensorSpec, shape_text

PAGE = Path(__file__).parent.parent / "docs" / "official-configs.md"
FOLDERS: tuple[tuple[Dialect, tuple[str, ...]], ...] = (
    ("mmocr0", ("golden/configs", "golden_zoo/v0/configs")),
    ("mmocr1", ("golden_zoo/v1/configs",)),
)
"""Where the configs of each generation are."""
TITLES: dict[Dialect, str] = {"mmocr0": "MMOCR 0.x (0.6.3)", "mmocr1": "MMOCR 1.x (1.0.1)"}
BASES = "_base_"
"""How the names begin of what is no config of its own: folders and files."""
OF_MMDET = re.compile(r"model\.type = '(\w+)'")
"""What the error says of a network of mmdet, whose config cannot be run without mmdet."""

HEAD = """# MMOCR's own configs

{loaded} of the {total} configs for text detection and recognition that MMOCR publishes load: `export`, `verify`,
`evaluate` and `predict` take them as they are, with a checkpoint of the same generation. The others are refused in one
line that says what is missing. Two generations of a model are two rows, since their configs and their post-processing
differ. Input and outputs are those of a model that is exported with `--dynamic`.

*This page is made from the configs by `python -m tools.official_configs`; a test compares it with them.*
"""


@dataclass(frozen=True, slots=True)
class OfficialConfig:
    """What is made of one config.

    Attributes:
        dialect: The generation that it is of.
        name: Its path in MMOCR's folder `configs`.
        network: MMOCR's name of the network; empty where the config is broken as it was published.
        config: What it says; None where it is refused.
        refusal: Why it is refused, without paths; empty where it loads.
    """

    dialect: Dialect
    name: str
    network: str
    config: ModelConfig | None
    refusal: str = ""


def read_official(path: Path, name: str, dialect: Dialect) -> OfficialConfig:
    """Read a config, or note why it is refused; whatever else goes wrong is raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OcrDeployWarning)
            config = load_config(path)
    except OcrDeployError as error:
        refusal = error.message
    else:
        return OfficialConfig(dialect, name, config.architecture, config)
    try:
        network = required_section(read_config(path), "model").peek_type()
    except OcrDeployError:
        found = OF_MMDET.search(refusal)
        network = found[1] if found else ""
    return OfficialConfig(dialect, name, network, None, re.sub(r"^(config )?/\S+?:? |/\S+/(?=[\w-]+\.py)", "", refusal))


def official_configs(data: Path) -> Iterator[OfficialConfig]:
    """Read every official config of a folder of recordings, in the order of their names."""
    for dialect, folders in FOLDERS:
        paths: dict[str, Path] = {}
        for folder in folders:
            for path in (data / folder).rglob("*.py"):
                name = path.relative_to(data / folder)
                if not any(part.startswith(BASES) for part in name.parts):
                    paths.setdefault(name.as_posix(), path)
        for text in sorted(paths):
            yield read_official(paths[text], text, dialect)


def page_of(configs: Sequence[OfficialConfig]) -> str:
    """Return the page, in Markdown."""
    loaded = sum(each.config is not None for each in configs)
    text = HEAD.format(loaded=loaded, total=len(configs))
    for dialect, title in TITLES.items():
        own = [each for each in configs if each.dialect == dialect]
        n_loaded = sum(each.config is not None for each in own)
        text += f"\n## {title}\n\n{n_loaded} of {len(own)} load.\n\n"
        text += "| config | network | input | outputs |\n|---|---|---|---|\n"
        text += "".join(f"{_row(each)}\n" for each in own)
    return text


def _row(official: OfficialConfig) -> str:
    """Return a config's row of the table."""
    first = f"| `{official.name.removesuffix('.py')}` | {official.network or 'broken as published'} |"
    if official.config is None:
        reason = official.refusal.partition("; supported are ")[0]
        return f"{first} refused | {reason.replace('|', '&#124;')} |"
    (image, *further), outputs = official.config.tensors(None)
    taken = [_shape(image), *(f"`{each.name}` {_shape(each)}" for each in further)]
    return f"{first} {', '.join(taken)} | {', '.join(f'`{each.name}` {_shape(each)}' for each in outputs)} |"


def _shape(tensor: TensorSpec) -> str:
    return shape_text(tensor.shape)


def main() -> int:
    """Write the page."""
    folder = os.environ.get("OCRDEPLOY_TEST_DATA")
    if not folder:
        print("OCRDEPLOY_TEST_DATA names no folder with the configs", file=sys.stderr)
        return 2
    PAGE.write_text(page_of(list(official_configs(Path(folder).resolve()))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
