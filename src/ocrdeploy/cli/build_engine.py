"""`ocrdeploy build-engine`: an ONNX model to a TensorRT engine."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocrdeploy.running.opening import Opening

from .options import JsonFile, Quiet, Verbose, guard, takes
from .output import Output
from .output_names import SHOW_SUFFIX, model_path, warn_of_suffix
from .tables import make_table

if TYPE_CHECKING:
    from ocrdeploy.engines.building import BuildReport
    from ocrdeploy.engines.requests import BuildRequest

Shape = tuple[int, int, int, int]

BUILDING = frozenset({"plugins", "custom_ops", "config", "device"})
"""What a build looks at of how models are opened."""


@takes("plugins", "custom_ops", "config", "device", "device_id", "threads")
def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="ONNX model.", show_default=False)],
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="IMAGE",
            help="Image on which --verify and --show run. [default: one that is drawn]",
            show_default=False,
        ),
    ] = None,
    *,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "--output",
            "--trt-file",
            "-o",
            metavar="FILE",
            help="Engine to write; FILE.json beside it says what it is. [default: beside the model, with the suffix "
            ".engine]",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            metavar="RUNTIME",
            help="tensorrt, which builds on the GPU that will run the engine; or tensorrt-rtx, TensorRT for RTX, which "
            "also builds ahead of time on a machine without a GPU. [default: what is installed, tensorrt first]",
            autocompletion=lambda: ["tensorrt", "tensorrt-rtx"],
        ),
    ] = None,
    compute_capability: Annotated[
        list[str] | None,
        typer.Option(
            "--compute-capability",
            metavar="SM",
            help="For tensorrt-rtx: GPU architecture to build for, such as sm86 (8.6 and 86 are the same) or "
            "current; may be given several times. [default: current where there is a GPU]",
        ),
    ] = None,
    fp16: Annotated[
        bool,
        typer.Option(
            "--fp16", help="Compute in float16, sensitive operators in float32; input and output stay float32."
        ),
    ] = False,
    tf32: Annotated[
        bool,
        typer.Option(
            "--tf32",
            help="Let float32 layers compute with TF32, which is faster on GPUs that have it and as coarse as float16.",
        ),
    ] = False,
    fp32_layers: Annotated[
        list[str] | None,
        typer.Option(
            "--fp32-layers",
            metavar="PATTERN",
            help="With --fp16: nodes that stay float32 too, by name or operator, such as '/neck/*'; may be given "
            "several times.",
        ),
    ] = None,
    save_onnx: Annotated[
        Path | None,
        typer.Option(
            "--save-onnx", metavar="FILE.onnx", help="With --fp16: keep the converted model, for verify and evaluate."
        ),
    ] = None,
    min_shape: Annotated[
        Shape | None,
        typer.Option(
            "--min-shape", metavar="N C H W", help="Smallest input; with --max-shape. [default: from the pipeline]"
        ),
    ] = None,
    opt_shape: Annotated[
        Shape | None,
        typer.Option(
            "--opt-shape",
            metavar="N C H W",
            help="Input that the engine is fastest at. [default: the size that most images of the data set have, or "
            "the pipeline's typical one]",
        ),
    ] = None,
    max_shape: Annotated[
        Shape | None, typer.Option("--max-shape", metavar="N C H W", help="Largest input; with --min-shape.")
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            metavar="MIN,OPT,MAX",
            help="One more profile, each shape as NxCxHxW; OPT may be left out; may be given several times.",
        ),
    ] = None,
    max_batch: Annotated[
        int | None,
        typer.Option(
            "--max-batch", min=1, metavar="N", help="Largest batch, without shapes. [default: 1 image or 16 words]"
        ),
    ] = None,
    workspace_size: Annotated[
        float | None,
        typer.Option(
            "--workspace-size",
            metavar="GIB",
            help="Most memory that a layer may use while it runs. [default: no limit]",
        ),
    ] = None,
    optimization_level: Annotated[
        int | None,
        typer.Option(
            "--optimization-level", metavar="0-5", help="From quick to build to thorough. [default: TensorRT's own]"
        ),
    ] = None,
    timing_cache: Annotated[
        Path | None,
        typer.Option(
            "--timing-cache", metavar="FILE", help="For tensorrt: what builds measure, read and added to; saves time."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the engine with the ONNX model; needs a GPU.")
    ] = False,
    show: Annotated[
        bool,
        typer.Option("--show", help="Write ENGINE.show.png: the results of both, side by side; needs a GPU."),
    ] = False,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Build a TensorRT engine from an ONNX model.

    The model is one that export wrote, or somebody else's. The engine is a plain plan, which trtexec loads too.
    Replaces MMOCR's onnx2tensorrt.py.
    """
    from ocrdeploy.backends.trt import parse_flavour
    from ocrdeploy.engines.building import build_engine
    from ocrdeploy.engines.files import sidecar_path
    from ocrdeploy.engines.requests import BuildRequest
    from ocrdeploy.engines.shape_requests import request_shapes
    from ocrdeploy.errors import UsageError
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.sources import ENGINE_SUFFIXES, ONNX_SUFFIXES

    from .build_display import BuildDisplay

    output = Output(json_file, quiet, verbose)
    engine = model.with_suffix(ENGINE_SUFFIXES[0]) if output_file is None else model_path(output_file, ENGINE_SUFFIXES)
    if save_onnx is not None:
        save_onnx = model_path(save_onnx, ONNX_SUFFIXES)
    files = OutputFiles()
    files.add("--output-file", engine)
    files.add("the engine's sidecar", sidecar_path(engine))
    files.add("--json", json_file)
    files.add("--save-onnx", save_onnx)
    files.add("--timing-cache", timing_cache)
    files.add("--show", engine.with_suffix(SHOW_SUFFIX) if show else None)
    runs = verify or show
    opening.check({*BUILDING, "threads"} if runs else BUILDING, "a build without --verify and --show")
    if image is not None and not runs:
        raise UsageError("IMAGE cannot matter without --verify or --show", "Leave it out.")
    guard(files, opening)
    files.protect_model(model)
    files.protect(image)
    warn_of_suffix(engine, ENGINE_SUFFIXES)
    request = BuildRequest(
        onnx=model,
        output=engine,
        runtime=None if runtime is None else parse_flavour(runtime),
        compute_capabilities=tuple(each for names in compute_capability or [] for each in names.split(",")),
        config=opening.config,
        shapes=request_shapes(min_shape, opt_shape, max_shape, profiles or (), max_batch),
        fp16=fp16,
        tf32=tf32,
        float32_layers=tuple(fp32_layers or ()),
        save_onnx=save_onnx,
        workspace_gib=workspace_size,
        optimization_level=optimization_level,
        timing_cache=timing_cache,
        plugins=opening.plugins,
        custom_ops=opening.custom_ops,
        device=opening.place,
        runs_engine=verify or show,
    )
    display = BuildDisplay(output)
    with display.shown():
        report = build_engine(request, display, opening.read_config)
    document = _report(report, output)
    passed = _verify_and_show(request, opening, image, output, verify=verify, show=show, document=document)
    output.json(document)
    if not passed:
        raise typer.Exit(1)


def _report(report: "BuildReport", output: Output) -> dict[str, Any]:
    """Print what was built, and return it as a document."""
    from ocrdeploy.backends.trt import title

    record = report.record
    architectures = ", ".join(record.gpu_architectures)
    built = f"{title(record.runtime)} {record.version} for {architectures}, {record.precision}"
    built += " with TF32" if record.tf32 else ""
    output.line(f"{report.path}: {built}, {report.size / 2**20:.1f} MiB, built in {report.seconds:.1f} s")
    for profile in record.profiles:
        output.line(f"  input: {profile.text}")
    if report.images:
        output.line(f"  the sizes of {report.images} images of the data set were looked at")
    document: dict[str, Any] = {
        "schema": 1,
        "command": "build-engine",
        "engine": str(report.path),
        "onnx": record.onnx.path,
        "runtime": record.runtime,
        "version": record.version,
        "gpu_architectures": list(record.gpu_architectures),
        "precision": record.precision,
        "profiles": [{"min": list(each.min), "opt": list(each.opt), "max": list(each.max)} for each in record.profiles],
        "bytes": report.size,
        "seconds": report.seconds,
    }
    if record.tf32:
        document["tf32"] = True
    if report.written_out:
        output.line(f"  deformable convolutions: {report.written_out} computed by GridSample, which TensorRT knows")
        document["deformable_convolutions"] = report.written_out
    if report.conversion is not None:
        kept = report.conversion.kept
        output.line(f"  float16: {report.conversion.converted} operators; {len(kept)} layers stay float32")
        document |= {"float16_operators": report.conversion.converted, "float32_layers": kept}
        if output.verbose:
            table = make_table("What stays float32", ("node", "because"), numeric_from=2)
            for node, reason in kept.items():
                table.add_row(node, reason)
            output.table(table)
    return document


def _verify_and_show(
    request: "BuildRequest",
    opening: Opening,
    image: Path | None,
    output: Output,
    *,
    verify: bool,
    show: bool,
    document: dict[str, Any],
) -> bool:
    """Do what --verify and --show ask for; return whether the comparison passed."""
    if not verify and not show:
        return True
    from ocrdeploy.running.models import open_model

    from .showing import show_side_by_side
    from .verify import compare

    passed = True
    with (
        open_model(request.onnx, replace(opening, device=None)) as reference,
        open_model(request.output, opening) as candidate,
    ):
        if verify:
            passed, document["comparison"] = compare(reference, candidate, [image] if image else [], output)
        if show:
            path = request.output.with_suffix(SHOW_SUFFIX)
            show_side_by_side(path, image, (reference, candidate))
            output.line(f"{path}: both results side by side")
    return passed
