import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest

from ocrdeploy.artifacts import read_onnx_spec
from ocrdeploy.backends.trt import load_library
from ocrdeploy.engines.files import write_engine
from ocrdeploy.errors import MachineError
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.hardware import cuda_device_count
from ocrdeploy.model_spec import EngineRecord, FileRecord, ModelSpec, ShapeProfile
from tests.cli.conftest import Outcome
from tests.support.faults import (
    changed_weight,
    plant,
)

Command = Callable[..., Outcome]


def test_the_exported_model_agrees_with_pytorch(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", small_onnx, "--images", image, "--json", "-")
    assert outcome.code == 0
    document = outcome.document
    assert (document["schema"], document["command"], document["passed"]) == (1, "verify", True)
    (comparison,) = document["comparisons"]
    assert (comparison["reference"], comparison["candidate"]) == ("torch", "onnxruntime")
    (tensor,) = comparison["tensors"]
    assert tensor["name"] == "prob_map"
    assert tensor["max_abs"] <= tensor["atol"] + tensor["rtol"] * tensor["largest"]
    assert {"shapes", "mean_abs", "p99_abs", "passed"} <= set(tensor)
    assert comparison["preprocessing"] == {"passed": True, "max_abs": 0.0}
    assert comparison["results"]["images"] == 1
    assert comparison["results"]["matched"] > 0
    assert comparison["results"]["missing"] == comparison["results"]["extra"] == 0


def test_of_several_models_the_first_is_the_reference(
    command: Command, small_onnx: Path, changed_onnx: Path, sample_dir: Path
) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", small_onnx, small_onnx, changed_onnx, "--images", image, "--json", "-")
    assert outcome.code == 1
    first, second = outcome.document["comparisons"]
    assert first["reference"] == first["candidate"] == "onnxruntime"
    assert first["tensors"][0]["max_abs"] == 0
    assert first["passed"]
    assert not second["passed"]


def test_tolerances_can_be_set(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    outcome = command("verify", small_onnx, "--images", image, "--atol", 0, "--rtol", 0, "--json", "-")
    assert outcome.code == 1
    assert outcome.document["comparisons"][0]["tensors"][0]["atol"] == 0


def test_without_images_the_data_set_or_drawn_images_are_compared(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "drawn images are compared" in command("verify", small_onnx).out
    (tmp_path / "sample").symlink_to(sample_dir)
    outcome = command("verify", small_onnx, "--json", "-")
    assert "drawn images" not in outcome.err
    assert outcome.document["comparisons"][0]["results"]["matched"] > 10


@pytest.mark.slow
def test_a_config_or_checkpoint_that_is_gone_is_asked_for(
    command: Command, seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    source = seeded_onnx("dbnet")
    files = {name: source.with_suffix(name) for name in (".py", ".pth")}
    moved = tmp_path / "model.onnx"
    moved.write_bytes(source.read_bytes())
    hidden = [path.rename(path.with_name(f"hidden{path.suffix}")) for path in files.values()]
    try:
        outcome = command("verify", moved)
        assert outcome.code == 2
        assert "is not there. Give it with --config." in outcome.error
        assert command("verify", moved, "--config", hidden[0], "--checkpoint", hidden[1]).code == 0
        # Beside the model, the same files are found by their name and hash.
        for path in hidden:
            (tmp_path / f"dbnet{path.suffix}").write_bytes(path.read_bytes())
        assert command("verify", moved).code == 0
    finally:
        for path in hidden:
            path.rename(files[path.suffix])


def test_the_reference_may_be_named(command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    other = tmp_path / "other.onnx"
    other.write_bytes(small_onnx.read_bytes())
    torch = command("verify", small_onnx, other, "--reference", "PyTorch", "--images", image, "--json", "-")
    assert [each["reference"] for each in torch.document["comparisons"]] == ["torch", "torch"]
    assert [each["model"] for each in torch.document["comparisons"]] == [str(small_onnx), str(other)]
    model = command("verify", other, "--reference", small_onnx, "--images", image, "--json", "-")
    assert [each["reference"] for each in model.document["comparisons"]] == ["onnxruntime"]
    assert command("verify", other, "--reference", "none.onnx").error == "model none.onnx does not exist"


def test_checkpoints_may_be_on_either_side(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    spec = read_onnx_spec(small_onnx)
    assert spec.source is not None
    config, checkpoint = Path(spec.source.config.path), Path(spec.source.checkpoint.path)
    options = ["--config", config, "--images", sample_dir / "imgs" / "syn_0022.jpg", "--json", "-"]
    for models, backends in (
        ((checkpoint, small_onnx), ("torch", "onnxruntime")),
        ((small_onnx, checkpoint), ("onnxruntime", "torch")),
        ((checkpoint,), ("torch", "torch")),
    ):
        outcome = command("verify", *models, *options)
        assert outcome.code == 0
        (comparison,) = outcome.document["comparisons"]
        assert (comparison["reference"], comparison["candidate"]) == backends
    assert "needs its MMOCR config" in command("verify", checkpoint).error


def test_somebody_elses_model_takes_config_and_checkpoint(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    spec = read_onnx_spec(small_onnx)
    assert spec.source is not None
    model = onnx.load_model(small_onnx)
    del model.metadata_props[:]
    foreign = tmp_path / "foreign.onnx"
    onnx.save_model(model, foreign)
    options = ["--images", sample_dir / "imgs" / "syn_0022.jpg", "--config", spec.source.config.path]
    assert command("verify", foreign).error.startswith(f"{foreign} holds no model spec")
    assert "Give --config and --checkpoint" in command("verify", foreign, *options).error
    outcome = command("verify", foreign, *options, "--checkpoint", spec.source.checkpoint.path, "--json", "-")
    assert outcome.code == 0
    assert outcome.document["comparisons"][0]["results"]["matched"] > 0


def test_a_static_model_that_takes_none_of_the_images_says_so(
    command: Command, sample_dir: Path, tmp_path: Path
) -> None:
    model = tmp_path / "static.onnx"
    files = sample_dir / "dbnet_sample.py", sample_dir / "dbnet_sample.pth"
    assert command("export", *files, "-o", model, "--shape", 1, 3, 96, 160).code == 0
    outcome = command("verify", model, "--images", sample_dir / "imgs" / "syn_0022.jpg", "--json", "-")
    assert outcome.code == 1
    assert "FAILED: the one image was not compared (" in outcome.err
    assert "1×3×96×160" in outcome.err
    (comparison,) = outcome.document["comparisons"]
    assert comparison["causes"] == ["images"]
    assert [Path(each["image"]).name for each in comparison["left_out"]] == ["syn_0022.jpg"]
    assert (comparison["images_given"], comparison["drawn"]) == (1, True)


def test_an_engine_needs_a_gpu(command: Command, small_onnx: Path, tmp_path: Path) -> None:
    if cuda_device_count():
        pytest.skip("this machine has a GPU")
    try:
        version = load_library("tensorrt-rtx").version
    except MachineError:
        version = "1.0"
    plan = b"ftrt plan"
    record = EngineRecord(
        schema=1,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        onnx=FileRecord(str(small_onnx), "ab" * 32),
        runtime="tensorrt-rtx",
        version=version,
        gpu_architectures=("sm86",),
        precision="fp16",
        profiles=(ShapeProfile((1, 3, 32, 32), (1, 3, 64, 64), (2, 3, 96, 96)),),
        rebuild="ocrdeploy build-engine",
        spec=read_onnx_spec(small_onnx),
    )
    engine = tmp_path / "model.engine"
    write_engine(engine, plan, record)
    assert command("verify", small_onnx, engine).code == 3
    assert command("verify", engine).code == 3


def test_images_may_be_folders_and_patterns_and_are_looked_for_first(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    folder = sample_dir / "imgs"
    outcome = command("verify", small_onnx, small_onnx, "--images", folder, "--max-images", 2, "--json", "-")
    assert outcome.document["comparisons"][0]["results"]["images"] == 2
    pattern = folder / "syn_002[24].jpg"
    several = ["--images", pattern, "--images", folder / "syn_0033.jpg"]
    outcome = command("verify", small_onnx, small_onnx, *several, "--json", "-")
    assert outcome.document["comparisons"][0]["results"]["images"] == 3
    missing = command("verify", "none.onnx", "--images", tmp_path / "none.jpg")
    assert (missing.code, missing.error) == (2, f"the image {tmp_path / 'none.jpg'} does not exist. Check the path.")
    assert "there is no image in the folder" in command("verify", small_onnx, "--images", tmp_path).error


def test_a_tolerance_may_be_one_outputs(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    options = ["--atol", "1e-3", "--atol", "prob_map=0", "--rtol", "prob_map=0.5"]
    outcome = command("verify", small_onnx, small_onnx, "--images", image, *options, "--json", "-")
    (tensor,) = outcome.document["comparisons"][0]["tensors"]
    assert (tensor["atol"], tensor["rtol"]) == (0, 0.5)
    error = command("verify", small_onnx, "--atol", "probmap=1").error
    assert error == "--atol probmap=...: no output 'probmap' is compared; compared are prob_map"
    assert command("verify", small_onnx, "--rtol", "-1").error.startswith("--rtol takes a number of at least 0")


@pytest.mark.slow
def test_a_tolerance_may_be_that_of_classes_which_one_side_gives(
    command: Command, seeded_recognizer: Callable[..., Path]
) -> None:
    plain, decoded = (seeded_recognizer(decode_in_graph=value) for value in (False, True))
    (logits,) = (output.name for output in read_onnx_spec(plain).outputs)
    for models in ((decoded, plain), (plain, decoded)):
        outcome = command("verify", *models, "--atol", "scores=0.25", "--json", "-")
        (comparison,) = outcome.document["comparisons"]
        assert [(tensor["name"], tensor["atol"]) for tensor in comparison["tensors"]] == [
            ("indices", 1e-4),
            ("scores", 0.25),
        ]
        assert comparison["settings"] == []
        error = command("verify", *models, "--atol", f"{logits}=1").error
        assert f"no output {logits!r} is compared; compared are indices, scores" in error


def test_a_model_in_float16_is_allowed_more(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    def note(spec: ModelSpec) -> ModelSpec:
        return msgspec.structs.replace(spec, precision="fp16")

    half = tmp_path / "half.onnx"
    onnx.save_model(convert_to_float16(onnx.load_model(small_onnx)).model, half)
    half = plant(half, tmp_path, spec=note, name="noted")
    image = sample_dir / "imgs" / "syn_0022.jpg"
    options = ["--images", image, "--json", "-"]
    outcome = command("verify", half, *options)
    (comparison,) = outcome.document["comparisons"]
    (tensor,) = comparison["tensors"]
    assert comparison["precision"] == "fp16"
    assert (tensor["atol"], tensor["rtol"], tensor["passed"]) == (5e-3, 5e-3, True)
    assert tensor["max_abs"] > 1e-5
    assert command("verify", half, *options, "--atol", "1e-7", "--rtol", 0).code == 1


def test_the_page_is_written_and_its_place_is_checked_first(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    options = ["--images", sample_dir / "imgs" / "syn_0022.jpg", "--html"]
    outcome = command("verify", small_onnx, *options, page)
    assert outcome.code == 0
    assert str(page) in outcome.out
    text = page.read_text(encoding="utf-8")
    assert "small.onnx against PyTorch" in text
    assert text.count("<img ") == 5
    (tmp_path / "a_file").touch()
    refused = command("verify", small_onnx, *options, tmp_path / "a_file" / "report.html")
    assert (refused.code, "report.html" in refused.error) == (2, True)


def test_names_in_the_table_are_no_markup(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = tmp_path / "[bold]a.jpg"
    image.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes())
    faulty = plant(small_onnx, tmp_path, changed_weight("/bbox_head/binarize/binarize.6/ConvTranspose", 2, 3))
    outcome = command("verify", faulty, "--images", image.name)
    assert "[bold]a.jpg" in outcome.out


def test_numbers_that_json_promises(command: Command, small_onnx: Path, sample_dir: Path) -> None:
    image = sample_dir / "imgs" / "syn_0022.jpg"
    (comparison,) = command("verify", small_onnx, "--images", image, "--json", "-").document["comparisons"]
    (tensor,) = comparison["tensors"]
    assert tensor["max_rel"] == pytest.approx(tensor["max_abs"] / tensor["largest"])
    assert tensor["cosine"] == pytest.approx(1, abs=1e-6)
    worst = tensor["worst"]
    assert len(worst["index"]) == 4
    assert abs(worst["reference"] - worst["candidate"]) == pytest.approx(tensor["max_abs"], rel=1e-3)
    assert tensor["shapes"][worst["input"]][2] > worst["index"][2]
    assert {shape[0] for shape in tensor["shapes"]} == {1, 2, 3, 16}
    assert comparison["sides"]["candidate"] == {
        "backend": "onnxruntime", "precision": "fp32", "device": "cpu", "tf32": False,
    }  # fmt: skip
    assert "tf32" not in comparison


def test_an_image_that_cannot_be_read_costs_the_verdict_and_not_the_others(
    command: Command, small_onnx: Path, sample_dir: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((sample_dir / "imgs" / "syn_0022.jpg").read_bytes()[:200])
    images = ["--images", broken, "--images", sample_dir / "imgs" / "syn_0022.jpg"]
    outcome = command("verify", small_onnx, small_onnx, *images, "--json", "-")
    assert outcome.code == 1
    assert "FAILED: the models agree on 1 of 2 images; 1 cannot be read (" in outcome.err
    (comparison,) = outcome.document["comparisons"]
    assert [each["image"] for each in comparison["unreadable"]] == [str(broken)]
    assert comparison["results"]["images"] == 1
    assert command("verify", small_onnx, small_onnx, "--images", broken).code == 2


def test_options_that_can_do_nothing_are_refused(command: Command, small_onnx: Path, tmp_path: Path) -> None:
    for options, message in (
        (["--html", "-"], "--html writes a page to a file, and - is standard output"),
        (["--max-differing", 2], "--max-differing takes a number from 0 to 1, got 2"),
        (["--max-differing", 0.1], "--max-differing is for bf16 and int8, and this is fp32"),
        (["--atol", "=1"], "--atol takes a number of at least 0"),
    ):
        outcome = command("verify", small_onnx, small_onnx, *options)
        assert outcome.code == 2
        assert outcome.error.startswith(message)


def test_tf32_is_asked_of_gpus_alone(command: Command, small_onnx: Path) -> None:
    outcome = command("verify", small_onnx, small_onnx, "--tf32", "--device", "cpu")
    assert (outcome.code, outcome.error.startswith("TF32 is for NVIDIA GPUs")) == (2, True)


def test_options_that_contradict_each_other(command: Command, small_onnx: Path) -> None:
    outcome = command("verify", small_onnx, "--reference", "mmocr", "--bisect")
    assert outcome.code == 2
    assert outcome.error.startswith("--bisect cannot look into the real MMOCR")
