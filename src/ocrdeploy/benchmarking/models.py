"""Benchmarks from models' files to numbers: what `ocrdeploy benchmark` does, and `ocrdeploy.benchmark` in Python."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ocrdeploy.evaluation.runs import Run, plan_runs
from ocrdeploy.evaluation.scoring import model_size
from ocrdeploy.hardware import cpu_name
from ocrdeploy.running.models import check_options, open_model
from ocrdeploy.running.opening import Opening, opening_of
from ocrdeploy.spec_checks import check_batch_sizes

from .measuring import BenchmarkOptions, InputShape, measure
from .rows import BenchmarkRow


def benchmark(
    *models: str | Path,
    images: Sequence[str | Path] | None = None,
    batch_size: int | Sequence[int] | None = None,
    shape: InputShape | None = None,
    count: int = 10,
    rounds: int = 5,
    backend: str | None = None,
    precision: str | None = None,
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    custom_ops: Sequence[str | Path] = (),
    plugins: Sequence[str | Path] = (),
    other_libraries: bool = False,
    optimized_model_cache: str | Path | None = None,
    trust_checkpoint: bool = False,
    tf32: bool = False,
) -> list[BenchmarkRow]:
    """Measure how fast models are, stage by stage and as a whole.

    All models are measured once a round, so that whatever else the machine does falls on all of them alike.

    Args:
        models: ONNX models, engines, or checkpoints with `config`; without any, the one in the current folder.
        images: Image files; by default some are drawn.
        batch_size: Images of one size that run together, or several such numbers, for a row each; by default 1 for
            detection, and what a short measurement says for recognition.
        shape: Shape N×C×H×W that the images are brought to, in place of what the pipeline makes of them.
        count: Images a round.
        rounds: How often every model is measured, after one round of warming up.
        backend: `torch`, `onnxruntime`, `tensorrt`, or several with commas between them; by default what each model is
            for.
        precision: What OpenVINO computes: `fp32`, `fp16`, `bf16` or `auto`; by default `fp32`.
        config: The MMOCR config, in place of the one that a model's spec records.
        checkpoint: The checkpoint, likewise.
        device: `cpu`, `cuda` or `cuda:N`; by default CUDA where the backend has it, else the CPU.
        threads: Number of CPU cores; by default those that this process may use.
        custom_ops: Shared libraries with operators that an ONNX model needs.
        plugins: Shared libraries with plugins that an engine needs.
        other_libraries: Take libraries that are not those which the model was made with.
        optimized_model_cache: Folder in which ONNX Runtime's optimised models are kept.
        trust_checkpoint: Read checkpoints by running the code that they hold.
        tf32: Let a GPU compute float32 in TensorFloat-32.

    Returns:
        A row for each model and backend with the first batch size, then for each with the next. Ratios are to the
        first row.

    Raises:
        InputError: A file is missing or broken, a model does not take the shape, or an option cannot matter.
        MachineError: A package or device is missing.
        CheckError: A network's output is not finite.
    """
    sizes = (batch_size,) if batch_size is None or isinstance(batch_size, int) else tuple(dict.fromkeys(batch_size))
    options = BenchmarkOptions(
        None if images is None else tuple(map(Path, images)), (1,) if shape else sizes, shape, rounds, count
    )
    opening = opening_of(
        config=config,
        checkpoint=checkpoint,
        precision=precision,
        device=device,
        threads=threads,
        custom_ops=custom_ops,
        plugins=plugins,
        other_libraries=other_libraries,
        optimized_model_cache=optimized_model_cache,
        trust_checkpoint=trust_checkpoint,
        tf32=tf32,
    )
    runs = plan_runs([Path(model) for model in models], backend, opening.checkpoint_file, Path.cwd())
    check_options(opening, [(run.model, run.backend) for run in runs], *({"checkpoint"} if not models else ()))
    return benchmark_runs(runs, opening, options)


def benchmark_runs(
    runs: Sequence[Run],
    opening: Opening,
    options: BenchmarkOptions,
    on_round: Callable[[int], None] = lambda _done: None,
) -> list[BenchmarkRow]:
    """Open models, measure them, and return a row for each; see `benchmark`.

    Args:
        runs: The models, each with its backend.
        opening: How they are opened.
        options: What is measured.
        on_round: Called with the number of rounds that are done.
    """
    with ExitStack() as stack:
        predictors = [stack.enter_context(open_model(run.model, replace(opening, backend=run.backend))) for run in runs]
        sizes = [size for size in options.batch_sizes if size is not None]
        if options.shape is None and sizes:
            specs = zip((run.model for run in runs), (each.spec for each in predictors), strict=True)
            check_batch_sizes(specs, sizes)
        cpu = cpu_name()
        rows = []
        for result in measure(predictors, options, on_round):
            run, predictor = runs[result.model], predictors[result.model]
            backend = predictor.backend
            rows.append(
                BenchmarkRow(
                    model=str(run.model),
                    backend=backend.name,
                    precision=backend.precision,
                    device=str(backend.device),
                    cpu=cpu,
                    measured=result,
                    tf32=backend.tf32,
                    size_mib=model_size(run.model, backend.name, predictor.spec),
                )
            )
        return rows
