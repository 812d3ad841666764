"""Sphinx settings. Pages of commands come from the real --help, the picture of the layers from the import contract."""

import configparser
import html
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from sphinx.application import Sphinx

from ocrdeploy.version import __version__

ROOT = Path(__file__).parent.parent
GENERATED = Path(__file__).parent / "generated"

project = "ocrdeploy"
release = __version__
copyright = "the ocrdeploy authors"  # noqa: A001  (Sphinx's name)
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "ocrdeploy"
html_copy_source = False
html_show_sourcelink = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
suppress_warnings = ["myst.xref_missing"]


def help_of(*words: str) -> str:
    """Return what `ocrdeploy WORDS --help` prints, 100 columns wide."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    line = [sys.executable, "-m", "ocrdeploy", *words, "--help"]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout.rstrip()  # noqa: S603


def command_names() -> list[str]:
    """Return the commands, in the order of the help."""
    import typer.main

    from ocrdeploy.cli.app import app

    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def write_commands(folder: Path) -> None:
    """Write a page a command, and one that lists them."""
    names = command_names()
    for name in names:
        page = f"# ocrdeploy {name}\n\n```text\n{help_of(name)}\n```\n"
        (folder / f"{name}.md").write_text(page, encoding="utf-8")
    contents = "\n".join(names)
    index = f"# Commands\n\n```text\n{help_of()}\n```\n\n```{{toctree}}\n:maxdepth: 1\n\n{contents}\n```\n"
    (folder / "commands.md").write_text(index, encoding="utf-8")


def layers() -> list[str]:
    """Return the layers of the package, from the commands down."""
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", encoding="utf-8")
    lines = contract["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [line.strip() for line in lines]


def write_layers(path: Path) -> None:
    """Draw the layers: each may import those below it."""
    width, height, gap = 640, 30, 6
    rows = layers()
    total = len(rows) * (height + gap) + gap
    boxes = [
        f'<rect x="{gap}" y="{gap + index * (height + gap)}" width="{width - 2 * gap}" height="{height}" rx="4"/>'
        f'<text x="{width // 2}" y="{gap + index * (height + gap) + 20}">{html.escape(row.replace("|", " · "))}</text>'
        for index, row in enumerate(rows)
    ]
    style = "rect{fill:#8883;stroke:#888}text{font:14px sans-serif;text-anchor:middle;fill:#777}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" role="img">'
    title = "<title>The layers of the package, from the commands down</title>"
    path.write_text(f"{head}{title}<style>{style}</style>{''.join(boxes)}</svg>\n", encoding="utf-8")


GALLERY = (
    ("The demo", "demo -o demo", "demo/boxes.png"),
    ("What a model file is", "inspect demo/model.onnx", ""),
    ("Boxes drawn on an image", "predict demo/model.onnx photo.jpg --draw drawn", "drawn/photo.pred.png"),
    ("The worst images", "evaluate demo/model.onnx --data labels --img-prefix labels --worst 2", ""),
    ("How fast", "benchmark demo/model.onnx --rounds 2 --count 2 --shape 1x3x320x320", ""),
    (
        "A gate that fails",
        "evaluate demo/model.onnx --data labels --img-prefix labels --fail-under hmean-iou:hmean=0.99",
        "",
    ),
    ("Words of another tool", "val demo/model.onnx --half", ""),
    ("What this machine can run", "doctor", ""),
)
"""Headings, command lines, and pictures that they leave: the gallery, made when the site is built."""


def write_gallery(folder: Path) -> None:
    """Run commands on the bundled sample, and show what they print and draw."""
    with tempfile.TemporaryDirectory() as name, resources.as_file(resources.files("ocrdeploy") / "demo_data") as data:
        place = Path(name)
        shutil.copy(data / "imgs" / "syn_0033.jpg", place / "photo.jpg")
        shutil.copytree(data / "imgs", place / "labels")
        shutil.copy(data / "instances_test.json", place / "labels")
        parts = [
            "# Gallery\n\nWhat commands print and draw. These pages were made by running them on the bundled sample.\n"
        ]
        for heading, line, picture in GALLERY:
            parts.append(
                f"## {heading}\n\n```console\n$ ocrdeploy {line}\n```\n\n```text\n{printed(line, place)}\n```\n"
            )
            if picture:
                target = f"gallery-{Path(picture).name}"
                shutil.copy(place / picture, folder / target)
                parts.append(f"![{heading}]({target})\n")
        (folder / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


def printed(line: str, place: Path) -> str:
    """Return what a command line prints, on standard output and behind it on standard error."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    words = [sys.executable, "-m", "ocrdeploy", *line.split()]
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    text = f"{done.stdout}{done.stderr}".replace(str(place), "/home/you")
    return text.replace(str(ROOT / "src" / "ocrdeploy"), "/home/you/ocrdeploy").rstrip()


def generate(_app: Sphinx) -> None:
    """Write what is generated, before the pages are read."""
    GENERATED.mkdir(exist_ok=True)
    write_gallery(GENERATED)
    write_commands(GENERATED)
    write_layers(GENERATED / "layers.svg")


def setup(app: Sphinx) -> None:
    """Have pages generated."""
    app.connect("builder-inited", generate)
