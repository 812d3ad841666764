"""The config's `test_evaluator` to metrics, and to the names of the data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError, warn
from ocrdeploy.model_spec import Dataset, EvaluationSettings, Task

REPORT_KEYS = ("collect_device", "collect_dir", "prefix", "_scope_")
"""Keys of a metric that say where MMEngine collects results and what it calls the numbers."""

METRICS = {"det": ("HmeanIOUMetric",), "recog": ("WordMetric", "CharMetric", "OneMinusNEDMetric")}

WORD_MODES = {
    "exact": "word_acc",
    "ignore_case": "word_acc_ignore_case",
    "ignore_case_symbol": "word_acc_ignore_case_symbol",
}

SYMBOLS = "[^A-Z^a-z^0-9^\u4e00-\u9fa5]"
"""What MMOCR 1.x leaves out of words, unless a config says otherwise, in its notation: a regular expression."""


def read_evaluator(
    values: Mapping[str, Any], datasets: Sequence[Dataset], task: Task
) -> tuple[EvaluationSettings, tuple[Dataset, ...]]:
    """Return the metrics of `test_evaluator`, and the data sets with the names that it gives them.

    Where a config has no evaluator, the metrics are those that MMOCR 1.x has for the task. Without `test_evaluator`
    that of `val_evaluator` counts, if the data sets are those of `val_dataloader`.

    Source: `Evaluator` in `mmengine.evaluator`, MMEngine v0.10.7; `MultiDatasetsEvaluator` and the metrics in
    `mmocr.evaluation`, MMOCR v1.0.1.

    Args:
        values: The config.
        datasets: What it tests with, in its order.
        task: What its model does.

    Raises:
        ConfigError: A metric or option is not supported, or the names do not fit the data sets.
    """
    key = "test_evaluator"
    if values.get(key) is None and values.get("test_dataloader") is None:
        key = "val_evaluator"
    if (value := values.get(key)) is None:
        settings = EvaluationSettings(("hmean-iou",), strategy="vanilla") if task == "det" else _of_words([])
        return settings, tuple(datasets)
    metrics, place, named = value, key, tuple(datasets)
    if isinstance(value, Mapping) and ("metrics" in value or _is_evaluator(value, key)):
        evaluator = Section(value, key)
        if evaluator.take("type", str, "Evaluator").rpartition(".")[2] == "MultiDatasetsEvaluator":
            named = _named(evaluator, datasets)
        else:
            _warn_of_sum(datasets)
        metrics, place = evaluator.take("metrics", Any), f"{key}.metrics"
        evaluator.skip("_scope_")
        evaluator.finish()
    else:
        _warn_of_sum(datasets)
    return _read_metrics(metrics, place, task), named


def _is_evaluator(value: Mapping[str, Any], place: str) -> bool:
    """Return whether a dictionary is an evaluator rather than its only metric."""
    return Section(value, place).peek_type().rpartition(".")[2] in ("Evaluator", "MultiDatasetsEvaluator")


def _named(evaluator: Section, datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
    """Return the data sets with the names of `dataset_prefixes`."""
    names = evaluator.take("dataset_prefixes", tuple[str, ...])
    if len(names) != len(datasets):
        raise ConfigError(
            f"{evaluator.place}.dataset_prefixes of the config has {len(names)} names for {len(datasets)} data sets"
        )
    if len(set(names)) != len(names):
        raise ConfigError(f"{evaluator.place}.dataset_prefixes of the config names two data sets alike: {list(names)}")
    return tuple(msgspec.structs.replace(dataset, name=name) for dataset, name in zip(datasets, names, strict=True))


def _warn_of_sum(datasets: Sequence[Dataset]) -> None:
    """Tell what is measured otherwise than by MMOCR."""
    if len(datasets) > 1:
        warn(
            f"MMOCR 1.x counts the {len(datasets)} data sets of the config together, because its evaluator is no "
            "MultiDatasetsEvaluator; here each has its own numbers, and the mean is told beside them"
        )


def _read_metrics(value: object, place: str, task: Task) -> EvaluationSettings:
    """Read one metric or a list of metrics."""
    is_list = isinstance(value, list | tuple)
    items: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    sections = [Section(each, f"{place}[{index}]" if is_list else place) for index, each in enumerate(items)]
    if not sections:
        raise ConfigError(f"{place} of the config is an empty list of metrics")
    for section in sections:
        if (name := section.peek_type()) not in METRICS[task]:
            raise ConfigError(
                f"{section.place}.type = {name!r} cannot be honoured: supported for this model are "
                f"{', '.join(METRICS[task])}"
            )
    if task == "recog":
        return _of_words(sections)
    if len(sections) > 1:
        raise ConfigError(f"{place} of the config has {len(sections)} metrics of one kind; one is supported")
    return _read_hmean(sections[0])


def _read_hmean(section: Section) -> EvaluationSettings:
    """Read HmeanIOUMetric."""
    section.skip("type", *REPORT_KEYS)
    given: dict[str, Any] = {
        "metric": ("hmean-iou",),
        "strategy": section.take("strategy", str, "vanilla"),
        "iou_thr": section.take("match_iou_thr", float, 0.5),
        "precision_thr": section.take("ignore_precision_thr", float, 0.5),
    }
    if "pred_score_thrs" in section:
        # As NumPy's arange takes them.
        sweep = section.section("pred_score_thrs")
        given["min_score_thr"] = sweep.take("start", float)
        given["max_score_thr"] = sweep.take("stop", float)
        given["step"] = sweep.take("step", float, 1.0)
        sweep.finish()
    settings = section.build(EvaluationSettings, (), given)
    section.finish()
    return settings


def _of_words(sections: Sequence[Section]) -> EvaluationSettings:
    """Read the metrics of words; none at all are all of them."""
    numbers = [number for section in sections for number in _read_words(section)]
    return EvaluationSettings(tuple(dict.fromkeys(numbers)) or ("acc",))


def _read_words(section: Section) -> list[str]:
    """Return the numbers that one metric of words gives."""
    name = section.type_name()
    section.skip(*REPORT_KEYS)
    section.expect("valid_symbol", SYMBOLS)
    match name:
        case "CharMetric":
            numbers = ["char_recall", "char_precision"]
        case "OneMinusNEDMetric":
            numbers = ["1-N.E.D"]
        case _:
            mode = section.take("mode", str | list[str], "ignore_case_symbol")
            modes = [mode] if isinstance(mode, str) else list(mode)
            for each in modes or [""]:
                if each not in WORD_MODES:
                    raise ConfigError(
                        f"{section.place}.mode of the config: known are {', '.join(WORD_MODES)}, got {mode!r}"
                    )
            numbers = [WORD_MODES[each] for each in modes]
    section.finish()
    return numbers
