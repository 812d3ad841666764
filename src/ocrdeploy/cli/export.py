"""`ocrdeploy export`: an MMOCR config and checkpoint to a self-describing ONNX model."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ocrdeploy.running.opening import Opening

from .options import JsonFile, Quiet, TaskOption, Verbose, prepared, takes
from .output import Output
from .output_names import SHOW_SUFFIX, model_path, warn_of_suffix
from .tables import make_table

if TYPE_CHECKING:
    from ocrdeploy.exporting import ExportReport, ExportRequest
    from ocrdeploy.graphs.summary import GraphSummary
    from ocrdeploy.mmocr_reference.reference import MmocrReference
    from ocrdeploy.model_spec import ModelSpec
    from ocrdeploy.predictor import Predictor

Shape = tuple[int, int, int, int]


@takes("mmocr_python", "trust_checkpoint", "device", "device_id", "threads")
def command(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="MMOCR 0.x config. It is Python: reading runs it.")],
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="Checkpoint: a file, or an https URL (downloaded once).")
    ],
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="IMAGE",
            help="Image whose size a static model gets, and on which --verify and --show run. [default: a neutral "
            "image of the pipeline's size]",
            show_default=False,
        ),
    ] = None,
    *,
    output_file: Annotated[
        Path, typer.Option("--output-file", "--output", "-o", metavar="FILE", help="ONNX file to write.")
    ] = Path("model.onnx"),
    dynamic: Annotated[
        bool, typer.Option("--dynamic", "--dynamic-export", help="Leave batch, height and width open.")
    ] = False,
    shape: Annotated[
        Shape | None, typer.Option("--shape", metavar="N C H W", help="Input size of a static model.")
    ] = None,
    opset: Annotated[int, typer.Option("--opset", "--opset-version", metavar="N", help="ONNX opset, 11 to 20.")] = 17,
    upsample: Annotated[
        Literal["nearest", "bilinear"],
        typer.Option(
            "--upsample", help="Interpolation in the feature pyramid: as trained, or MMOCR's starred variant."
        ),
    ] = "nearest",
    all_outputs: Annotated[
        bool,
        typer.Option("--all-outputs", help="Keep DBNet's threshold and binary maps, which decoding does not read."),
    ] = False,
    decode_in_graph: Annotated[
        bool,
        typer.Option(
            "--decode-in-graph",
            help="Recognition: make CTC's softmax and argmax part of the graph, so that classes and their scores leave "
            "the device instead of all logits.",
        ),
    ] = False,
    builder: Annotated[
        Literal["ocrdeploy", "mmocr"],
        typer.Option(
            "--builder",
            help="Whose network is exported: this package's, or the real MMOCR's, for architectures that this package "
            "does not have. MMOCR's is always verified against MMOCR.",
        ),
    ] = "ocrdeploy",
    task: TaskOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the ONNX model with PyTorch.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Write MODEL.show.png: the results of both, side by side, on the image.")
    ] = False,
    opening: Opening,
    json_file: JsonFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export an MMOCR config and checkpoint to an ONNX model.

    The model describes itself: with its own pre- and post-processing it is all you deploy. The network is traced on the
    CPU unless --device names a GPU. Replaces MMOCR's pytorch2onnx.py.
    """
    from ocrdeploy.descriptions.loading import load_outline
    from ocrdeploy.errors import UsageError
    from ocrdeploy.exporting import ExportRequest
    from ocrdeploy.output_files import OutputFiles
    from ocrdeploy.running.sources import ONNX_SUFFIXES

    output = Output(json_file, quiet, verbose)
    output_file = model_path(output_file, ONNX_SUFFIXES)
    files = OutputFiles()
    files.add("--output-file", output_file)
    files.add("--json", json_file)
    files.add("--show", output_file.with_suffix(SHOW_SUFFIX) if show else None)
    files.protect_config(config)
    files.protect(checkpoint, image)
    runs = verify or show
    used = (
        {"trust_checkpoint", "device"}
        | ({"threads"} if runs else set())
        | ({"mmocr_python"} if builder == "mmocr" else set())
    )
    opening.check(used, "this export")
    if image is not None and shape is not None and not runs:
        raise UsageError("IMAGE cannot matter beside --shape without --verify or --show", "Leave one of them out.")
    if files.replaces_any:
        described = load_outline(config, task) if builder == "mmocr" else opening.read_config(config, task)
        for dataset in described.datasets:
            files.protect_dataset(dataset)
    warn_of_suffix(output_file, ONNX_SUFFIXES)
    opening = prepared(replace(opening, checkpoint=checkpoint), output)
    request = ExportRequest(
        config=config,
        checkpoint=Path(opening.checkpoint or checkpoint),
        output=output_file,
        image=image,
        dynamic=dynamic,
        shape=shape,
        opset=opset,
        upsample=upsample,
        all_outputs=all_outputs,
        decode_in_graph=decode_in_graph,
        task=task,
        device=opening.place,
        trust_checkpoint=opening.trust_checkpoint,
    )
    started = time.perf_counter()
    with ExitStack() as stack:
        with output.progress(f"exporting {output_file.name}", total=None):
            report, open_reference = _export(request, builder, opening, stack)
        document = _report(report, time.perf_counter() - started, output) | {"builder": builder}
        passed = _verify_and_show(
            report,
            open_reference,
            opening,
            [image] if image else [],
            output,
            verify=verify or builder == "mmocr",
            show=show,
            document=document,
        )
    output.json(document)
    if not passed:
        raise typer.Exit(1)
    if not verify:
        output.line(f"next: ocrdeploy verify {report.path}, then ocrdeploy evaluate {report.path}")


def _export(
    request: "ExportRequest", builder: str, opening: Opening, stack: ExitStack
) -> "tuple[ExportReport, Callable[[], Predictor | MmocrReference]]":
    """Export, and return with the report what opens the model that the graph was made from."""
    if builder == "mmocr":
        from ocrdeploy.mmocr_reference.graph_building import export_with_mmocr, plan_export
        from ocrdeploy.mmocr_reference.reference import open_mmocr_reference

        plan = plan_export(request)
        opened = open_mmocr_reference(
            request.config,
            request.checkpoint,
            export=plan.options,
            python=opening.mmocr_python,
            trust_checkpoint=opening.trust_checkpoint,
            outline=plan.outline,
        )
        reference = stack.enter_context(opened)
        return export_with_mmocr(plan, reference), lambda: reference
    from ocrdeploy.exporting import export_model
    from ocrdeploy.running.models import open_torch

    report = export_model(request, opening)
    return report, lambda: stack.enter_context(
        open_torch(request.config, request.checkpoint, report.spec.export, opening)
    )


def _report(report: "ExportReport", seconds: float, output: Output) -> dict[str, Any]:
    """Print what was exported, and return it as a document."""
    from ocrdeploy.model_spec import shape_text

    size = report.path.stat().st_size
    spec = report.spec
    output.line(f"{report.path}: {spec.architecture}, {size / 2**20:.1f} MiB, exported in {seconds:.1f} s")
    for tensor in (*spec.inputs, *spec.outputs):
        output.line(f"  {tensor.name}: {shape_text(tensor.shape)} {tensor.dtype}, {tensor.meaning}")
    if spec.export is not None and not spec.export.dynamic:
        output.line(f"  {_static_note(spec)}")
    document = {
        "schema": 1,
        "command": "export",
        "model": str(report.path),
        "task": spec.task,
        "architecture": spec.architecture,
        "dynamic": spec.export is not None and spec.export.dynamic,
        "opset": None if spec.export is None else spec.export.opset,
        "input": list(spec.input.shape),
        "bytes": size,
        "seconds": seconds,
    }
    # Counting reads the whole model again and infers every shape in it.
    return document | _count(report, output) if output.verbose or output.json_file is not None else document


def _static_note(spec: "ModelSpec") -> str:
    """Return which images a static model takes."""
    batch, _, height, width = spec.input.shape
    together = f", {batch} at a time" if batch != 1 else ""
    return (
        f"static: it takes only images that the pipeline brings to {height}×{width} (height×width){together}; "
        "--dynamic takes images of every size"
    )


def _count(report: "ExportReport", output: Output) -> dict[str, Any]:
    """Count what the graph is made of, print it when verbose, and return it as a part of the document."""
    from ocrdeploy.artifacts import load_onnx
    from ocrdeploy.graphs.summary import summarize_graph

    summary = summarize_graph(load_onnx(report.path), report.example_shape)
    if output.verbose:
        for line in report.architecture.splitlines():
            output.line(line)
        _graph_table(summary, output)
    return {
        "operators": summary.operators,
        "parameters": summary.parameters,
        "flops": summary.flops,
        "flops_shape": list(summary.input_shape),
    }


def _graph_table(summary: "GraphSummary", output: Output) -> None:
    """Print what the graph is made of."""
    from ocrdeploy.model_spec import shape_text

    table = make_table("Graph", ("operator", "nodes"))
    for operator, count in summary.operators.items():
        table.add_row(operator, str(count))
    table.add_section()
    table.add_row("all", str(sum(summary.operators.values())))
    output.table(table)
    output.line(f"parameters: {summary.parameters:,}")
    output.line(
        f"FLOPs at {shape_text(summary.input_shape)}: {summary.flops / 1e9:,.2f} G (a multiply-add counts as two)"
    )


def _verify_and_show(
    report: "ExportReport",
    open_reference: "Callable[[], Predictor | MmocrReference]",
    opening: Opening,
    images: list[Path],
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
    reference = open_reference()
    with open_model(report.path, Opening(device=opening.device, threads=opening.threads)) as candidate:
        if verify:
            passed, comparison = compare(reference, candidate, images, output)
            document["comparison"] = comparison
        if show:
            path = report.path.with_suffix(SHOW_SUFFIX)
            show_side_by_side(path, images[0] if images else None, (reference, candidate))
            output.line(f"{path}: both results side by side")
    return passed
