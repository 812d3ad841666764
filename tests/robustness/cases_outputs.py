"""Files that we write: places where nothing can be written, disks that are full, and files that are there."""

import json
import os
from pathlib import Path
from typing import Any

from tests.robustness.case import Case, Check, Make, Outcome, Place, fine, nothing

AHEAD = "--runtime tensorrt-rtx --compute-capability sm86"
DATA = "--ann-file {ann} --img-prefix {imgs}"
OLD = b"old\n"
FULL = 300
"""Bytes that fit on the full disk: less than any output has."""
FULL_FOR_MODELS = 100_000
"""The same for commands that read a config, of which a copy is made."""

WRITERS = {
    "export": "export {config} {weights} -q -o FILE.onnx",
    "export --json": "export {config} {weights} -q -o m.onnx --json FILE.json",
    "build-engine": f"build-engine {{det}} {AHEAD} -q -o FILE.engine",
    "build-engine --json": f"build-engine {{det}} {AHEAD} -q -o m.engine --json FILE.json",
    "predict --json": "predict {det} {image} -q --json FILE.jsonl",
    "predict --json, many images": "predict {det} {imgs} -q --json FILE.jsonl",
    "evaluate --predictions": f"evaluate {{det}} {DATA} -q --predictions FILE.jsonl",
    "evaluate --json": f"evaluate {{det}} {DATA} -q --json FILE.json",
    "evaluate --markdown": f"evaluate {{det}} {DATA} -q --markdown FILE.md",
    "evaluate --csv": f"evaluate {{det}} {DATA} -q --csv FILE.csv",
    "verify --html": "verify {det} {det} --images {image} -q --html FILE.html",
    "verify --json": "verify {det} {det} --images {image} -q --json FILE.json",
    "benchmark --json": "benchmark {det} --count 1 --rounds 1 -q --json FILE.json",
}
"""Command lines that write FILE."""
FOLDER_WRITERS = {
    "predict --draw": "predict {det} {image} -q --draw FOLDER",
    "predict --crop": "predict {det} {image} -q --crop FOLDER",
    "demo": "demo -q -o FOLDER",
}
ALSO_MADE = {"export --json": "m.onnx", "build-engine --json": "m.engine*"}
"""What is whole before the other file cannot be written."""


def written_by(command: str) -> str:
    """Return the name of the file that a command line writes."""
    return next(word for word in command.split() if word.startswith("FILE"))


def old_file(command: str) -> Make:
    """Write an old file where the new one goes."""

    def make(place: Place) -> Path:
        path = place.out / written_by(command)
        path.write_bytes(OLD)
        return path

    return make


def folder_there(command: str) -> Make:
    """Make a folder where the file goes."""

    def make(place: Place) -> Path:
        path = place.out / written_by(command)
        path.mkdir()
        return path

    return make


def locked(place: Place) -> Path:
    """Make a folder that nobody may write to."""
    path = place.folder / "locked"
    path.mkdir()
    path.chmod(0o555)
    return path


def replaced(command: str) -> Check:
    """Ask for a whole file in place of the old one."""

    def check(place: Place, _outcome: Outcome) -> None:
        path = place.out / written_by(command)
        assert path.read_bytes() != OLD
        if path.suffix == ".json":
            json.loads(path.read_text())
        assert not list(place.out.glob(".*.tmp"))

    return check


def rows() -> list[Case]:
    """Return the rows of every command that writes a file."""
    found = []
    skip = "root writes everywhere" if os.name != "posix" or os.geteuid() == 0 else ""
    for name, command in WRITERS.items():
        file = written_by(command)
        also = tuple(f"out/{made}" for made in [ALSO_MADE.get(name)] if made)
        part = (f"out/{file}.part",) if name == "evaluate --predictions" else ()
        inside, locked_inside = (command.replace(file, f"{folder}/{file}") for folder in ("{ann}", "{folder}/locked"))
        found += [
            Case(f"{name}: a file in place of a folder", nothing, inside, rf"{file} cannot be written: .*ann\.json is no folder"),
            Case(f"{name}: a folder", folder_there(command), command, rf"{file} cannot be written: it is a folder"),
            Case(f"{name}: a device", nothing, command.replace(file, "/dev/full"), r"/dev/full cannot be written: it is no"),
            Case(f"{name}: a long name", nothing, command.replace("FILE", "a" * 300), r"cannot be written: File name too"),
            Case(f"{name}: a locked folder", locked, locked_inside, r"no permission to write to .*locked", skip=skip),
            Case(
                f"{name}: a full disk, an old file", old_file(command), command,
                rf"({file}(\.part)?|temporary files .*) cannot be written: File too large", changes=part,
                file_limit=FULL_FOR_MODELS if name == "export" else FULL,
            ),
            fine(f"{name}: an old file", old_file(command), command, replaced(command), *also, f"out/{file}*"),
        ]  # fmt: skip
    for name, command in FOLDER_WRITERS.items():
        found += [
            Case(
                f"{name}: a file", nothing, command.replace("FOLDER", "{ann}"), r"cannot be written: .*ann\.json is no"
            ),
            Case(
                f"{name}: a locked folder",
                locked,
                command.replace("FOLDER", "{folder}/locked"),
                r"no permission",
                skip=skip,
            ),
        ]
    found += [
        Case(
            f"{name}: a full disk", nothing, command.replace("FOLDER", "."), r"cannot be written: File too large",
            file_limit=FULL_FOR_MODELS if name == "demo" else FULL,
        )
        for name, command in FOLDER_WRITERS.items()
    ]  # fmt: skip
    # Of these two, what is written first is larger than what follows.
    untried = {f"{name}: a full disk, an old file" for name in ALSO_MADE}
    return [case for case in found if case.name not in untried]


def kept(*names: str) -> Check:
    """Ask for the old files."""

    def check(place: Place, _outcome: Outcome) -> None:
        assert all((place.out / name).read_bytes() == OLD for name in names)

    return check


def old_files(*names: str) -> Make:
    """Write files whose names are near those that are written."""

    def make(place: Place) -> Path:
        for name in names:
            (place.out / name).write_bytes(OLD)
        return place.folder

    return make


OTHERS: list[Any] = [
    Case("two results in one file", nothing, f"evaluate {{det}} {DATA} --json a --csv a", r"--json and --csv both write to a"),
    fine(
        "what a killed run left", old_files(".m.onnx.00000000.tmp", "m.onnx.part"), "export {config} {weights} -q -o m.onnx",
        kept(".m.onnx.00000000.tmp", "m.onnx.part"), "out/m.onnx",
    ),
    Case(
        "a part of something else", old_files("p.jsonl.part"),
        f"evaluate {{det}} {DATA} -q --predictions p.jsonl", r"p\.jsonl\.part is not of an interrupted run\. Remove",
    ),
    Case(
        "a part of something else, to be resumed", old_files("p.jsonl.part"),
        f"evaluate {{det}} {DATA} -q --predictions p.jsonl --resume", r"p\.jsonl\.part is not of an interrupted run\. Remove",
    ),
    Case("an export over its checkpoint", nothing, "export {config} {weights} -o {weights}", r"dbnet\.pth is read, so it is not written over"),
    Case("predictions over the annotations", nothing, f"evaluate {{det}} {DATA} --predictions {{ann}}", r"ann\.json is read"),
    Case("results over an image", nothing, "predict {det} {image} --json {image}", r"\.jpg is read, so it is not written"),
    Case("a report over a model", nothing, "verify {det} {recog} --html {recog}", r"crnn\.onnx is read"),
    Case("times over a model", nothing, "benchmark {det} --json {det}", r"small\.onnx is read"),
    Case("no room for the copy of a config", nothing, "export {config} {weights}", r"the folder for temporary files .*TMPDIR\.", file_limit=FULL),
    Case("an engine over its model", nothing, f"build-engine {{det}} {AHEAD} -o {{det}}", r"small\.onnx is read"),
]  # fmt: skip

OUTPUTS = [*rows(), *OTHERS]
