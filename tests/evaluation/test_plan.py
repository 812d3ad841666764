from pathlib import Path

import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.datasets import BrokenSample
from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.errors import AnnotationError, ConfigError, UsageError
from ocrdeploy.evaluation.plan import DataChoice, Unlabelled, choose_settings, open_data
from ocrdeploy.model_spec import EvaluationSettings, IcdarDataset
from tests.support.models import config_text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "dbnet.py"
    path.write_text(config_text("dbnet").replace("metric='hmean-iou'", "metric='hmean-ic13', min_score_thr=0.5"))
    return path


@pytest.fixture
def annotations(sample_dir: Path) -> Path:
    return sample_dir / "instances_test.json"


LABELLED = Unlabelled("det", (IcdarDataset("first/a.json", "first"), IcdarDataset("second/b.json", "second")))


def test_the_models_own_settings_count_unless_others_are_given(config: Path) -> None:
    own = EvaluationSettings(("hmean-ic13",), min_score_thr=0.4)
    labelled = Unlabelled("det", evaluation=own)
    assert choose_settings(labelled, DataChoice()) == own
    assert choose_settings(labelled, DataChoice(metrics=("hmean-iou", "hmean-ic13"))) == EvaluationSettings(
        ("hmean-iou", "hmean-ic13"), min_score_thr=0.4
    )
    assert choose_settings(labelled, DataChoice(config=load_config(config))).min_score_thr == 0.5


def test_names_of_metrics_of_the_newer_generation_keep_the_models_rules() -> None:
    own = EvaluationSettings(("hmean-iou",), 0.3, 1, 0.05, "max_matching")
    assert choose_settings(Unlabelled("det", evaluation=own), DataChoice(metrics=("HmeanIOUMetric",))) == own
    choice = DataChoice(metrics=("recog/word_acc", "CharMetric", "WordMetric"))
    numbers = ("word_acc", "char_recall", "char_precision", "word_acc_ignore_case", "word_acc_ignore_case_symbol")
    assert choose_settings(Unlabelled("recog"), choice).metric == numbers


def test_a_name_of_the_config_stays_with_its_annotations(annotations: Path) -> None:
    labelled = Unlabelled("det", (IcdarDataset(str(annotations), "imgs", name="IC15"),))
    assert [data.name for data in open_data(labelled, DataChoice())] == ["IC15"]
    assert [data.name for data in open_data(labelled, DataChoice(img_prefix="elsewhere"))] == ["IC15"]
    (data,) = open_data(labelled, DataChoice(ann_file=str(annotations)))
    assert data.name == annotations.parent.name


def test_without_settings_the_task_decides() -> None:
    assert choose_settings(Unlabelled("det"), DataChoice()) == EvaluationSettings(("hmean-iou",))
    assert choose_settings(Unlabelled("recog"), DataChoice()) == EvaluationSettings(("acc",))


def test_metrics_and_configs_of_the_other_task_are_refused(config: Path) -> None:
    with pytest.raises(UsageError, match="--eval acc does not go with task 'det'"):
        choose_settings(Unlabelled("det"), DataChoice(metrics=("acc",)))
    for choose in (choose_settings, open_data):
        with pytest.raises(ConfigError, match="DBNet is a model for task 'det', not 'recog'"):
            choose(Unlabelled("recog"), DataChoice(config=load_config(config)))


def test_an_annotation_file_takes_the_place_of_the_first_data_set(annotations: Path) -> None:
    choice = DataChoice(ann_file=str(annotations), img_prefix="elsewhere")
    (data,) = open_data(LABELLED, choice)
    assert (data.name, len(data.samples)) == (annotations.parent.name, 8)
    first = next(iter(data.samples))
    assert not isinstance(first, BrokenSample)
    assert first.image.path.parts[0] == "elsewhere"  # type: ignore[union-attr]


def test_an_image_folder_alone_takes_the_place_of_the_first_ones(annotations: Path, sample_dir: Path) -> None:
    labelled = Unlabelled("det", (IcdarDataset(str(annotations), "none"),))
    (data,) = open_data(labelled, DataChoice(img_prefix=str(sample_dir / "imgs")))
    assert all(not isinstance(item, BrokenSample) and item.image.path.is_file() for item in data.samples)  # type: ignore[union-attr]


def test_all_data_sets_of_the_model_are_opened(annotations: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_bytes(annotations.read_bytes())
    labelled = Unlabelled("det", tuple(IcdarDataset(str(tmp_path / name / "a.json")) for name in ("first", "second")))
    assert [data.name for data in open_data(labelled, DataChoice())] == ["first", "second"]


def test_your_own_data_need_no_data_set(annotations: Path, sample_dir: Path, tmp_path: Path) -> None:
    (data,) = open_data(Unlabelled("det"), DataChoice(data=annotations))
    assert (data.name, len(data.samples)) == ("instances_test", 8)
    assert len(open_data(Unlabelled("det"), DataChoice(ann_file=str(annotations)))[0].samples) == 8
    words = tmp_path / "words.tsv"
    words.write_text("syn_0022.jpg\thello\n")
    choice = DataChoice(data=words, img_prefix=str(sample_dir / "imgs"))
    assert open_data(Unlabelled("recog"), choice)[0].name == "words"


def test_a_config_that_is_given_names_the_data_sets(config: Path, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"scenes/instances\.json: there is no such annotation file"):
        open_data(LABELLED, DataChoice(config=load_config(config)))


def test_no_data_set_at_all_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="names no data set") as caught:
        open_data(Unlabelled("recog"), DataChoice())
    assert caught.value.fix == "Give one with --data."
    with pytest.raises(UsageError, match="names no data set"):
        open_data(Unlabelled("recog"), DataChoice(ann_file="words.txt"))


def test_two_places_for_the_annotations_are_refused() -> None:
    with pytest.raises(UsageError, match="--data and --ann-file both name the annotations"):
        DataChoice(data=Path("a"), ann_file="b")


def test_a_model_spec_is_labelled(sample_onnx: Path) -> None:
    spec = read_onnx_spec(sample_onnx)
    assert choose_settings(spec, DataChoice()).metric == ("hmean-iou",)
    assert [dataset.ann_file for dataset in spec.datasets] == ["sample/instances_test.json"]
