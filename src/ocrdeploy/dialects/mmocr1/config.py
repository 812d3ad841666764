"""A config of MMOCR 1.x to the neutral form: data sets, test pipeline and metric, beside its model."""

from pathlib import Path, PurePath
from typing import Any

from ocrdeploy.artifacts import file_record
from ocrdeploy.dialects.outline import NetworkParts, Outline, required_section
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError
from ocrdeploy.model_spec import Dataset, EvaluationSettings, JsonDataset, Task

from .model import read_model
from .pipelines import read_pipeline

LOADING_KEYS = ("metainfo", "test_mode", "filter_cfg", "serialize_data", "lazy_init", "max_refetch", "indices")
"""Keys of a data set that say how MMEngine loads it, or what is filtered in training."""

WORD_MODES = {
    "exact": "word_acc",
    "ignore_case": "word_acc_ignore_case",
    "ignore_case_symbol": "word_acc_ignore_case_symbol",
}


def read_outline(values: dict[str, Any], path: Path, task: Task | None) -> tuple[Outline, NetworkParts]:
    """Read a config that has been run; as `read_outline` of the dialect of 0.x."""
    section = required_section(values, "model")
    preprocessor = section.section("data_preprocessor")
    model = read_model(section, task)
    place = "test_dataloader.dataset.pipeline"
    if "test_dataloader" in values:
        sources, pipeline = _read_sources(required_section(values, "test_dataloader").section("dataset"))
    else:
        # A config for pre-training alone, which has no data to test with.
        sources, pipeline, place = [], values.get("test_pipeline"), "test_pipeline"
    steps, fix = read_pipeline(pipeline, place, preprocessor)
    datasets: tuple[Dataset, ...] = tuple(JsonDataset(ann_file, images, fix) for ann_file, images in sources)
    evaluation = _read_evaluator(values.get("test_evaluator"), model.task)
    record = file_record(path)
    outline = Outline(model.name, model.task, steps, model.decoder, datasets, evaluation, record, "mmocr1")
    return outline, model.parts


def _read_sources(section: Section) -> tuple[list[tuple[str, str]], Any]:
    """Return annotation file and image folder of each data set, and the pipeline that they share."""
    pipeline = section.take("pipeline", Any, None)
    name = section.type_name()
    if name == "ConcatDataset":
        inner = section.sections("datasets")
        section.skip("verify_meta", "lazy_init")
        section.finish()
        if not inner:
            raise ConfigError(f"{section.place}.datasets of the config is empty")
        read = [_read_sources(each) for each in inner]
        # A data set's own pipeline counts where there is one.
        pipelines = [own if own is not None else pipeline for _, own in read]
        if any(each != pipelines[0] for each in pipelines):
            raise ConfigError(f"{section.place} of the config has data sets with different pipelines")
        return [source for sources, _ in read for source in sources], pipelines[0]
    if name != "OCRDataset":
        raise ConfigError(f"{section.place}.type = {name!r} of MMOCR 1.x is not supported yet; OCRDataset is")
    root = PurePath(section.take("data_root", str, "") or "")
    ann_file = section.take("ann_file", str)
    prefix = section.section("data_prefix") if "data_prefix" in section else Section({}, section.place)
    images = prefix.take("img_path", str, "")
    prefix.finish()
    section.skip(*LOADING_KEYS)
    section.finish()
    return [(str(root / ann_file), str(root / images) if str(root / images) != "." else "")], pipeline


def _read_evaluator(value: object, task: Task) -> EvaluationSettings:
    """Read the metrics, which are those of the task where the config names none."""
    if value is None:
        value = {"type": "HmeanIOUMetric"} if task == "det" else [{"type": "WordMetric"}]
    place = "test_evaluator"
    sections = [Section(each, place) for each in (value if isinstance(value, list | tuple) else [value])]
    if len(sections) == 1 and sections[0].peek_type() == "MultiDatasetsEvaluator":
        (evaluator,) = sections
        evaluator.skip("type", "dataset_prefixes")
        metrics = evaluator.take("metrics", list[Any])
        evaluator.finish()
        return _read_evaluator(metrics, task)
    if task == "det":
        if len(sections) != 1:
            raise ConfigError(f"{place} of the config has {len(sections)} metrics; HmeanIOUMetric is supported")
        return _read_hmean(sections[0])
    names = [name for section in sections for name in _word_numbers(section)]
    return EvaluationSettings(tuple(dict.fromkeys(names)))


def _read_hmean(section: Section) -> EvaluationSettings:
    """Read HmeanIOUMetric."""
    section.expect_type("HmeanIOUMetric")
    section.expect("match_iou_thr", 0.5)
    section.expect("ignore_precision_thr", 0.5)
    section.skip("collect_device", "prefix")
    given: dict[str, Any] = {"metric": ("hmean-iou",), "strategy": section.take("strategy", str, "vanilla")}
    if "pred_score_thrs" in section:
        sweep = section.section("pred_score_thrs")
        given |= {
            "min_score_thr": sweep.take("start", float),
            "max_score_thr": sweep.take("stop", float),
            "step": sweep.take("step", float),
        }
        sweep.finish()
    settings = section.build(EvaluationSettings, (), given)
    section.finish()
    return settings


def _word_numbers(section: Section) -> list[str]:
    """Return the numbers of a metric of words."""
    name = section.type_name()
    section.skip("collect_device", "prefix")
    match name:
        case "WordMetric":
            mode = section.take("mode", str | list[str], "ignore_case_symbol")
            section.skip("invalid_symbol")
            modes = [mode] if isinstance(mode, str) else list(mode)
            if unknown := [each for each in modes if each not in WORD_MODES]:
                raise ConfigError(f"{section.place}.mode = {unknown[0]!r}: known are {', '.join(WORD_MODES)}")
            numbers = [WORD_MODES[each] for each in modes]
        case "CharMetric":
            section.skip("valid_symbol")
            numbers = ["char_recall", "char_precision"]
        case "OneMinusNEDMetric":
            section.skip("valid_symbol")
            numbers = ["1-N.E.D"]
        case other:
            raise ConfigError(f"{section.place}.type = {other!r} of MMOCR 1.x is not supported yet")
    section.finish()
    return numbers
