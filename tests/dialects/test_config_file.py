import json
import tempfile
from pathlib import Path

import pytest

from ocrdeploy.dialects.config_file import read_config
from ocrdeploy.errors import ConfigError, OutputError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_bases_are_merged(tmp_path: Path) -> None:
    write(tmp_path, "base.py", "model = dict(type='A', neck=dict(x=1, y=(1, 2)), head=dict(z=3))\nsizes = [1, 2]\n")
    path = write(
        tmp_path,
        "config.py",
        "_base_ = './base.py'\n"
        "model = dict(neck=dict(x=2), head=dict(_delete_=True, w=4))\n"
        "more = [{{_base_.sizes}}, dict(a={{_base_.model.neck.x}})]\n",
    )
    assert read_config(path) == {
        "model": {"type": "A", "neck": {"x": 2, "y": (1, 2)}, "head": {"w": 4}},
        "sizes": [1, 2],
        "more": [[1, 2], {"a": 1}],
    }


def test_bases_may_have_bases_in_other_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, "first.py", "a = 1\nb = 1\n")
    write(tmp_path / "inner", "second.py", "_base_ = ['../first.py']\nb = 2\n")
    assert read_config(write(tmp_path, "config.py", "_base_ = ['inner/second.py']\nc = 3\n")) == {
        "a": 1,
        "b": 2,
        "c": 3,
    }


def test_a_config_is_a_program(tmp_path: Path) -> None:
    text = (
        "import os.path as osp\nimport numpy as np\nimport warnings\n"
        "def double(x):\n    return 2 * x\n"
        "path = osp.join('a', 'b')\nmean = np.float64(1.5).item()\nsizes = [double(i) for i in range(3)]\n"
    )
    config = read_config(write(tmp_path, "config.py", text))
    assert {key: config[key] for key in ("path", "mean", "sizes")} == {"path": "a/b", "mean": 1.5, "sizes": [0, 2, 4]}


def test_what_a_config_prints_is_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read_config(write(tmp_path, "config.py", "print('loading')\na = 1\n"))
    assert capsys.readouterr() == ("", "loading\n")


def test_modules_for_training_are_not_imported(tmp_path: Path) -> None:
    path = write(tmp_path, "config.py", "custom_imports = dict(imports=['no_such_module'])\n")
    assert read_config(path) == {"custom_imports": {"imports": ["no_such_module"]}}


@pytest.mark.parametrize("name", ["my.config.py", "config of 2021.py", "1.py"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    assert read_config(write(tmp_path, name, "a = 1\n")) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps({"_base_": "./base.py", "b": [1, 2]})),
        ("config.yaml", "_base_: ./base.py\nb: [1, 2]\n"),
        ("config.yml", "_base_: ./base.py\nb: [1, 2]\n"),
    ],
)
def test_json_and_yaml_are_configs_too(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, "base.py", "a = dict(x=1)\n")
    assert read_config(write(tmp_path, name, text)) == {"a": {"x": 1}, "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('a word\\nand another')\n", "ValueError: a word and another ({path}, line 1)"),
        ("\n\n1 / 0\n", "ZeroDivisionError: division by zero ({path}, line 3)"),
        ("import sys\nsys.exit('no')\n", "SystemExit: no ({path}, line 2)"),
        ("assert False\n", "AssertionError: no message ({path}, line 1)"),
        ("a = None\na.get('b')\n", "AttributeError: 'NoneType' object has no attribute 'get' ({path}, line 2)"),
        ("a = (\n", "SyntaxError: '(' was never closed (line 1 of it or of a base of it)"),
        ("filename = 'a'\n", "KeyError: 'filename is reserved for config file'"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module' ({path}, line 1)"),
    ],
)
def test_a_config_that_raises_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, "config.py", text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.message == f"config {path} cannot be read: {message.format(path=path)}"


def test_a_base_that_raises_is_named(tmp_path: Path) -> None:
    base = write(tmp_path, "base.py", "a = 1\nraise RuntimeError('broken')\n")
    path = write(tmp_path, "config.py", "_base_ = ['base.py']\n")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.message == f"config {path} cannot be read: RuntimeError: broken ({base}, line 2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_base_ = 3\n", "TypeError: "),
        ("_base_ = ['nothing.py']\n", r'FileNotFoundError: file ".*nothing\.py" does not exist$'),
        ("_base_ = ['one.py']\nb = {{_base_.nothing}}\n", "KeyError: 'nothing'$"),
        (
            "_base_ = ['one.py']\nb = _base_.x\n",
            r"it takes 'x' from its bases, and none of them has it \(.*config\.py, line 2\)$",
        ),
        ("_base_ = ['one.py', 'two.py']\n", "Duplicate key is not allowed among bases. Duplicate keys: {'a'}"),
        ("_base_ = ['list.json']\n", "it or a base of it holds a list, not a dictionary$"),
    ],
)
def test_broken_bases_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "one.py", "a = 1\n")
    write(tmp_path, "two.py", "a = 2\n")
    write(tmp_path, "list.json", "[1]")
    with pytest.raises(ConfigError, match=message):
        read_config(write(tmp_path, "config.py", text))


@pytest.mark.parametrize("text", ["_base_ = 'other.py'\n", "_base_ = ['base.py', 'other.py']\nx = {{_base_.y}}\n"])
def test_a_config_that_is_its_own_base_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "config.py", text)
    write(tmp_path, "base.py", "y = 1\n")
    other = write(tmp_path, "other.py", "_base_ = ['base.py', './config.py']\n")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.message == f"config {path} leads back to itself through _base_: {path}, {other}, {path}"


def test_a_config_that_recurses_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "config.py", "def f():\n    return f()\n\n\nf()\n")
    with pytest.raises(ConfigError, match=r"^config .*config\.py never ends: it, or a base of it, recurses$"):
        read_config(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.py", b"\xff\xd8\xff\xe0\x00", "UnicodeDecodeError"),
        ("c.json", b"{", "JSONDecodeError: Expecting property name"),
        ("c.json", b"", "JSONDecodeError: Expecting value"),
        ("c.json", b"[1, 2]", "it or a base of it holds a list, not a dictionary"),
        ("c.yaml", b"", "it or a base of it holds a NoneType, not a dictionary"),
        ("c.yaml", b"a: [1\n", "ParserError: while parsing a flow sequence"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.message.startswith(f"config {path} cannot be read: {message}")
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^config .*nothing\.py does not exist$"):
        read_config(tmp_path / "nothing.py")


@pytest.mark.parametrize("name", ["config.txt", "model.pth", "config"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^config .*{name} is not a \.py, \.json or \.yaml file$"):
        read_config(write(tmp_path, name, "a = 1\n"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "config.py"
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"config\.py is not a \.py, \.json or \.yaml file$"):
        read_config(folder)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("_base_ = './one.py'\n_base_ = './two.py'\n", 2),
        ("_base_: list = ['./one.py']\n", 1),
        ("a = _base_ = ['./one.py']\n", 1),
        ("_base_ = []\n_base_ += ['./one.py']\n", 2),
        ("_base_, x = ['./one.py'], 1\n", 1),
        ("a = 1\nif a:\n    _base_ = ['./one.py']\n", 3),
        ("try:\n    _base_ = ['./one.py']\nexcept OSError:\n    pass\n", 2),
        ("def f():\n    _base_ = ['./one.py']\n", 2),
        ("folder = '.'\n_base_ = [folder + '/one.py']\n", 2),
        ("_base_ = []\n_base_.append('./one.py')\n", 2),
        ("for _base_ in ['./one.py']:\n    pass\n", 1),
        ("(_base_ := ['./one.py'])\n", 1),
        ("globals()['_base_'] = ['./one.py']\n", 1),
        ("globals().update(_base_=['./one.py'])\n", 1),
        ("exec(\"_base_ = ['./one.py']\")\n", 1),
        ("from os import path as _base_\n", 1),
        ("_base_ = ['./one.py']\ndel _base_\n", 2),
        ("_base_ = [*['./one.py']]\n", 1),
    ],
)
def test_bases_that_show_only_when_the_config_runs_are_refused(tmp_path: Path, text: str, line: int) -> None:
    write(tmp_path, "one.py", "a = 1\n")
    path = write(tmp_path, "config.py", text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.message == f"config {path}, line {line}: which bases it has shows only when it runs"
    assert caught.value.fix == "Write _base_ once, at the top, as a plain list of paths."


def test_a_base_of_a_base_is_held_to_the_same(tmp_path: Path) -> None:
    write(tmp_path, "one.py", "a = 1\n")
    base = write(tmp_path, "base.py", "_base_ = []\n_base_ += ['one.py']\n")
    with pytest.raises(ConfigError, match=rf"{base}, line 2"):
        read_config(write(tmp_path, "config.py", "_base_ = 'base.py'\n"))


def test_a_base_may_be_spoken_of(tmp_path: Path) -> None:
    write(tmp_path, "one.py", "a = dict(b=1)\n")
    text = "'a text about _base_ and {{_base_.a}}'\n_base_ = ['one.py']\nc = _base_.a.b\nd = {{_base_.a.b}}\n"
    assert read_config(write(tmp_path, "config.py", text)) == {"a": {"b": 1}, "c": 1, "d": 1}


def test_environment_variables_are_not_filled_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_config(write(tmp_path, "config.py", "a = '{{$HOME:/}}'\n")) == {"a": "{{$HOME:/}}"}
    assert capsys.readouterr().err == ""


def test_without_a_place_for_temporary_files_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    path = write(tmp_path, "config.py", "a = 1\n")
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr("ocrdeploy.artifacts.SHARED_MEMORY", tmp_path / "none")
    with pytest.raises(OutputError, match=r"there is no folder for temporary files .*\. Name one with TMPDIR"):
        read_config(path)
