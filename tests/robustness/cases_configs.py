"""Configs: programs that raise, never end, lack a part, or ask for what cannot be honoured."""

import json
from pathlib import Path
from typing import Any

from tests.robustness.case import Case, Make, Outcome, Place, fine
from tests.support.configs import DETECTION_PIPELINE, REMOVED, detection_config, write_config
from tests.support.models import config_text

EXPORT = "export {input} {weights} --quiet"


def text(source: str | bytes, name: str = "a.py") -> Make:
    """Write a config."""
    return lambda place: place.new(name, source)


def changed(changes: dict[str, Any]) -> Make:
    """Write a whole config of which some values are others."""
    return lambda place: write_config(place.folder, detection_config(changes), "a.py")


def on_base(source: str, base: str) -> Make:
    """Write a config with a base."""

    def make(place: Place) -> Path:
        place.new("base.py", base)
        return place.new("a.py", source)

    return make


def circle(place: Place) -> Path:
    """Write two configs that are each other's base."""
    place.new("b.py", "_base_ = ['a.py']\n")
    return place.new("a.py", "_base_ = ['b.py']\n")


def step(changes: dict[str, Any], index: int = 1) -> Make:
    """Write a config of which a step of the pipeline has other values."""
    pipeline = [dict(each) for each in DETECTION_PIPELINE]
    pipeline[index] |= changes
    return changed({"data.test.pipeline": pipeline})


def gone_config(place: Place) -> Path:
    """Copy a model whose config, where the spec has it, raises when it is read."""
    from tests.support.faults import plant

    config = place.new("hostile.py", "raise RuntimeError('it was run')\n")

    def moved(spec: Any) -> Any:
        import msgspec

        record = msgspec.structs.replace(spec.source.config, path=str(config))
        return msgspec.structs.replace(spec, source=msgspec.structs.replace(spec.source, config=record))

    return plant(place.det, place.folder, spec=moved)


def talkative(place: Place) -> Path:
    """Write a config that prints."""
    return place.new("a.py", "print('hello from the config')\n" + config_text("dbnet"))


def pure_json(place: Place, outcome: Outcome) -> None:
    assert json.loads(outcome.out)["command"] == "export"


def bad(name: str, make: Make, says: str, command: str = EXPORT) -> Case:
    return Case(name, make, command, says)


CONFIGS = [
    bad("missing", lambda place: place.folder / "none.py", r"config .*none\.py does not exist$"),
    bad("a folder", lambda place: place.folder, r"config .* is not a \.py, \.json or \.yaml file$"),
    bad("another kind of file", text("", "a.txt"), r"config .*a\.txt is not a \.py, \.json or \.yaml file$"),
    bad("empty", text(""), r"a\.py: the config has no `model`$"),
    bad("broken syntax", text("model = dict(\n"), r"a\.py cannot be read: SyntaxError: '\(' was never closed \(line 1 "),
    bad("no text", text(b"\x00\xff\xfe"), r"config .*a\.py cannot be read: "),
    bad("another encoding", text("name = 'größe'\n".encode("latin-1")), r"config .*a\.py cannot be read: "),
    bad("it raises", text("x = 1\nraise ValueError('no data here')\n"), r"ValueError: no data here \(.*a\.py, line 2\)$"),
    bad("it ends the program", text("import sys\nsys.exit(0)\n"), r"a\.py cannot be read: SystemExit: 0 "),
    bad("it divides by zero", text("a = 1 / 0\n"), r"a\.py cannot be read: ZeroDivisionError: .*line 1\)$"),
    bad("it imports what is not there", text("import nothing_of_this_name\n"), r"ModuleNotFoundError: .*nothing_of_this_"),
    bad("it recurses", text("def f():\n    f()\nf()\n"), r"a\.py never ends: it, or a base of it, recurses"),
    bad("a base that is not there", text("_base_ = ['none.py']\n"), r"a\.py cannot be read: .*none\.py"),
    bad("a base that raises", on_base("_base_ = 'base.py'\n", "raise OSError('disk')\n"), r"OSError: disk \(.*base\.py, "),
    bad("its own base", text("_base_ = ['a.py']\n"), r"a\.py leads back to itself through _base_: "),
    bad("a circle of bases", circle, r"a\.py leads back to itself through _base_: .*b\.py"),
    bad("broken JSON", text("{", "a.json"), r"config .*a\.json cannot be read: "),
    bad("JSON that is a list", text("[1]", "a.json"), r"a\.json cannot be read: .*holds a list, not a dictionary"),
    bad("broken YAML", text("a: [", "a.yaml"), r"config .*a\.yaml cannot be read: "),
    bad("of MMOCR 1.x", text("model = {}\ntest_dataloader = {}\n"), r"model of the config lacks the key 'type'"),
    bad("no data", changed({"data": REMOVED}), r"a\.py: the config has no `data`$"),
    bad("no backbone", changed({"model.backbone": REMOVED}), r"a\.py: .*model.*backbone"),
    bad("no test set", changed({"data.test": REMOVED}), r"a\.py: .*data.*test"),
    bad("no pipeline", changed({"data.test.pipeline": REMOVED}), r"a\.py: .*pipeline"),
    bad("a model that is no dictionary", changed({"model": 3}), r"a\.py: .*model"),
    bad("data that are no dictionary", changed({"data": [1, 2]}), r"a\.py: .*data"),
    bad("an unknown architecture", changed({"model.type": "DRRG"}), r"a\.py: .*DRRG"),
    bad("an unknown key", changed({"model.neck.speed": 9}), r"a\.py: .*model\.neck.*speed"),
    bad("a number that is a text", changed({"model.backbone.depth": "deep"}), r"a\.py: .*model\.backbone\.depth"),
    bad("an absurd number", changed({"model.backbone.depth": 10**9}), r"a\.py: .*depth"),
    bad("channels of nothing", changed({"model.bbox_head.in_channels": 0}), r"a\.py: model\.bbox_head of the config: DBHead needs"),
    bad("an unknown step", step({"type": "Blur"}), r"a\.py: .*Blur"),
    bad("a scale that is a text", step({"img_scale": "large"}), r"a\.py: .*img_scale"),
    bad("a scale of nothing", step({"img_scale": (0, 0)}), r"a\.py: .*img_scale|scale"),
    bad("a division by zero in the making", step({"std": [0.0, 0.0, 0.0]}, 2), r"pipeline\[2\]\.std\[0\] of the config: Expected `float` >= 1e-06, got 0.0$"),
    bad("a mean that is not a number", text(config_text("dbnet").replace("120.0", "float('nan')")), r"a\.py: .*mean"),
    bad("a metric that does not exist", changed({"evaluation.metric": "beauty"}), r"a\.py: evaluation\.metric = 'beauty'"),
    bad("a checkpoint in its place", lambda place: place.weights, r"\.pth is not a \.py, \.json or \.yaml file$"),
    fine("it prints", talkative, "export {input} {weights} --quiet --json -", pure_json, "out/model.onnx", says="hello"),
    fine("hostile, beside a model that needs none: predict", gone_config, "predict {input} {image} --quiet"),
    fine(
        "hostile, beside a model that needs none: evaluate", gone_config,
        "evaluate {input} --ann-file {ann} --img-prefix {imgs} --quiet",
    ),
    fine("hostile, beside a model that needs none: verify", gone_config, "verify {input} {det} --images {image} --quiet"),
    fine("hostile, beside a model that needs none: benchmark", gone_config, "benchmark {input} --count 1 --rounds 1 --quiet"),
    bad("hostile, and another one", gone_config, r"hostile\.py is not the config that", "predict {input} {image} --backend torch"),
    bad("hostile, and needed", gone_config, r"RuntimeError: it was run", "predict {input} {image} --backend torch --config {folder}/hostile.py"),
]  # fmt: skip
