"""Reading a config file with mmengine, which knows the dialect (`_base_`, `{{_base_.x}}`) without PyTorch.

A config is a Python program: reading it runs it.
"""

import ast
import contextlib
import re
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from ocrdeploy.artifacts import FULL_DISK, check_temporary_files, no_room, refuse_stand_in
from ocrdeploy.errors import ConfigError

SUFFIXES = (".py", ".json", ".yaml", ".yml")
BASE = "_base_"
PLAIN = "at the top, as a plain list of paths"
SETS_BASE = re.compile(r"(?<![\w.])_base_\s*(?::[^=\n]+)?[+*]?=(?!=)")
"""Code, in a text that may be run, which sets the bases."""
MMDET_NETWORK = "MMDetWrapper"
"""What configs of MMOCR 1.x call a network of mmdet, such as Mask R-CNN, which a base of mmdet describes."""
TEMPLATE = re.compile(r"\{\{.*?\}\}")
"""What mmengine fills in before a config is Python: `{{_base_.x}}`, `{{ fileDirname }}`."""

MISSING_OF_BASES = re.compile(r"'ConfigDict' object has no attribute ('\w+')")
"""What mmengine says of `_base_.x` where no base has an x."""
FOLDER_TEMPLATE = re.compile(r"\{\{\s*fileDirname\s*\}\}")
NAME = re.compile(r"""["']([^"'\n]+)["']|^\s*[\w-]+:[ \t]+([^"'\s][^"'\n]*?)[ \t]*$""", re.MULTILINE)
"""A text in quotation marks, or one of YAML without."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the config with its bases merged into it.

    What the config prints goes to standard error.

    Raises:
        ConfigError: The file is missing, is no config, or raises when it runs.
    """
    if not path.exists():
        raise ConfigError(f"config {path} does not exist")
    if path.suffix not in SUFFIXES or not path.is_file():
        raise ConfigError(f"config {path} is not a .py, .json or .yaml file")
    refuse_stand_in(path, "config", ConfigError)
    from mmengine.config import Config

    _check_bases(path, ())
    check_temporary_files()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            # Left to itself, mmengine takes a config that imports something for one of its own newer kind.
            # `{{$NAME:default}}` is mmengine's own too: mmcv, whose configs these are, leaves it as it stands.
            config = Config.fromfile(
                str(path), import_custom_modules=False, use_environment_variables=False, lazy_import=False
            )
        return dict(config.to_dict())
    except RecursionError as error:
        _let_go(error)
        raise ConfigError(f"config {path} never ends: it, or a base of it, recurses") from error
    except (Exception, SystemExit) as error:  # a config is a program: it can raise anything
        _let_go(error)
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            # mmengine reads a copy.
            raise no_room(error) from error
        raise ConfigError(f"config {path} cannot be read: {_describe(error)}") from error


def _check_bases(path: Path, before: tuple[Path, ...]) -> None:
    """Refuse a config that is its own base, which mmengine would copy a thousand times before it gives up."""
    chain = (*before, path.resolve())
    if chain[-1] in before:
        names = ", ".join(str(step) for step in chain)
        raise ConfigError(f"config {chain[0]} leads back to itself through _base_: {names}")
    for base in _bases(path):
        if base.is_file():
            _check_bases(base, chain)


def config_files(path: Path) -> list[Path]:
    """Return a config's own file and those of its bases, as far as they stand in `_base_` as plain strings."""
    found, left = [], [path]
    while left:
        each = left.pop()
        if each not in found:
            found.append(each)
            left += _bases(each)
    return found


def named_files(path: Path) -> list[Path]:
    """Return what the texts of a config and its bases name, as far as they are written out: dictionaries, labels.

    Most of it is no file. Relative names are those of the current folder, as MMOCR takes them.
    """
    found: dict[Path, None] = {}
    for each in config_files(path):
        try:
            text = each.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue  # mmengine will say what is wrong
        text = str(each.parent).join(FOLDER_TEMPLATE.split(text))
        found |= dict.fromkeys(Path(name) for match in NAME.findall(text) for name in match if name)
    return list(found)


def _bases(path: Path) -> list[Path]:
    """Return the bases of a config in Python.

    Raises:
        ConfigError: `_base_` is set otherwise than once, at the top, to plain strings, or names another package.
    """
    if path.suffix != ".py":
        return []
    try:
        tree = ast.parse(TEMPLATE.sub("0", path.read_text(encoding="utf-8")))
    except (OSError, ValueError, SyntaxError):
        return []  # mmengine will say what is wrong
    plain = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == BASE]
    values = [_literal(node.value) for node in plain if len(node.targets) == 1]
    set_elsewhere = [line for line in _lines_that_set_base(tree) if line not in [node.lineno for node in plain[:1]]]
    if len(values) > 1 or None in values or set_elsewhere:
        line = (set_elsewhere or [plain[-1].lineno])[0]
        raise ConfigError(
            f"config {path}, line {line}: which bases it has shows only when it runs", f"Write {BASE} once, {PLAIN}."
        )
    names = [name for value in values for name in (value if isinstance(value, list | tuple) else [value])]
    foreign = [name for name in names if isinstance(name, str) and "::" in name]
    if foreign:
        raise _foreign_base(path, foreign[0], tree)
    return [path.parent / name for name in names if isinstance(name, str)]


def _foreign_base(path: Path, base: str, tree: ast.Module) -> ConfigError:
    """Return the error of a config with a base of another package, which names its network where that is mmdet's."""
    if any(isinstance(node, ast.Constant) and node.value == MMDET_NETWORK for node in ast.walk(tree)):
        return ConfigError(
            f"{path}: model.type = {MMDET_NETWORK!r} of the base {base!r}: the architecture is not supported"
        )
    return ConfigError(
        f"config {path} has the base {base!r} of another package, which is not supported",
        "Write out what the base says, as the file that MMEngine's Config.dump writes.",
    )


def _literal(value: ast.expr) -> object:
    """Return a value that is written out; None of one that has to be computed."""
    try:
        return ast.literal_eval(value)
    except ValueError:
        return None


def _lines_that_set_base(tree: ast.Module) -> list[int]:
    """Return the lines that give `_base_` a value or change it, in whatever form."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id="_base_", ctx=ast.Store() | ast.Del())
                | ast.FunctionDef(name="_base_")
                | ast.AsyncFunctionDef(name="_base_")
                | ast.ClassDef(name="_base_")
                | ast.ExceptHandler(name="_base_")
                | ast.MatchAs(name="_base_")
                | ast.MatchStar(name="_base_")
                | ast.MatchMapping(rest="_base_")
                | ast.Call(func=ast.Attribute(value=ast.Name(id="_base_"), attr="append" | "extend" | "insert"))
                | ast.Subscript(value=ast.Name(id="_base_"), ctx=ast.Store() | ast.Del(), slice=ast.Constant(int()))
                | ast.Constant("_base_")
                | ast.keyword(arg="_base_")
            ):
                lines.append(node.lineno)
            case ast.Import() | ast.ImportFrom() if any(BASE in (name.name, name.asname) for name in node.names):
                lines.append(node.lineno)
            case ast.Constant(str(text)) if SETS_BASE.search(text):
                lines.append(node.lineno)
    return lines


def _describe(error: BaseException) -> str:
    """Return what was raised and, if a config raised it, where."""
    # mmengine gives the code of a config the config's name; code of a file has no other way to be called <module>.
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"]
    match error:
        case SyntaxError(__context__=SyntaxError(msg=text, lineno=int(line))):
            # mmengine repeats the error with the name of a temporary copy.
            return f"SyntaxError: {text} (line {line} of it or of a base of it)"
        case AttributeError(name="get", obj=content) if not frames:
            return f"it or a base of it holds a {type(content).__name__}, not a dictionary"
    text = " ".join(str(error).split()) or "no message"
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, AttributeError) and (missing := MISSING_OF_BASES.search(text)):
        return f"it takes {missing[1]} from its bases, and none of them has it{place}"
    return f"{type(error).__name__}: {text}{place}"


def _let_go(error: BaseException) -> None:
    """Close, without the warning that they were open, the temporary files that mmengine was reading."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        traceback.clear_frames(error.__traceback__)
