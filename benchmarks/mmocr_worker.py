"""Runs MMOCR 0.6.3 for the benchmarks, in the interpreter that holds it; each request is a line of JSON.

    {"do": "export", "config": FILE, "checkpoint": FILE, "task": "det", "image": FILE, "file": FILE}
    {"do": "open", "loop": "test", "config": FILE, "model": FILE, "task": "det", "ann_file": FILE, "img_prefix": FOLDER}
    {"do": "open", "loop": "network", "config": FILE, "model": FILE, "tensor": FILE}
    {"do": "run", "loop": "test"}

`export` is MMOCR's tools/deployment/pytorch2onnx.py with --dynamic-export. The loops are those of MMOCR's tools:
`test` runs the PyTorch model of a checkpoint, `deploy_test` an ONNX model in ONNX Runtime. `run` goes through the data
set once, from its files to the metrics, which it returns; all that comes before, such as loading, `open` has done. The
loop `network` is a detector's network in PyTorch on the tensor of a .npy file.
"""

import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Request = dict[str, str]

HOOK_OPTIONS = ("interval", "tmpdir", "start", "gpu_collect", "save_best", "rule")
"""Options of a config's `evaluation` that are not the metric's."""


def export(request: Request) -> None:
    """Run MMOCR's script, with what a newer PyTorch and a machine without a GPU make necessary.

    The CPU takes the GPU's place, and the older one of PyTorch's two exporters is asked for. That no longer takes a
    `functools.partial` for `forward`, its `_slice` has lost an argument, and its nodes are no longer asked for their
    attributes by index, as mmcv's `register_extra_symbolics` does.
    """
    import mmocr
    import torch
    from mmcv.onnx.onnx_utils import symbolic_helper
    from torch.onnx import symbolic_opset10

    node: Any = torch._C.Node  # noqa: SLF001
    node.__getitem__ = lambda self, name: getattr(self, self.kindOf(name))(name)
    symbolic_helper._slice_helper = lambda *arguments, **options: symbolic_opset10._slice(  # noqa: SLF001
        *arguments, **{name: value for name, value in options.items() if name != "dynamic_slice"}
    )
    script = Path(mmocr.__file__).parent / ".mim/tools/deployment/pytorch2onnx.py"
    code = script.read_text(encoding="utf-8")
    for old, new in (
        (r"torch\.device\(type='cuda', index=[a-z_.]+\)", "torch.device('cpu')"),
        (r"dynamic_axes=dynamic_axes\)", "dynamic_axes=dynamic_axes, dynamo=False)"),
        (r"from functools import partial\n", ""),
    ):
        code, count = re.subn(old, new, code)
        if not count:
            raise RuntimeError(f"{script} does not hold {old}")
    names = [request[name] for name in ("config", "checkpoint", "task", "image")]
    sys.argv = [str(script), *names, "--output-file", request["file"], "--dynamic-export"]
    exec(compile(code, script, "exec"), {"__name__": "__main__", "partial": bind})  # noqa: S102


def bind(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function with some of its arguments given, whose signature does not show them."""
    return lambda *arguments: function(*arguments, **options)


def open_loop(request: Request) -> Callable[[], dict[str, float]]:
    """Return one of MMOCR's loops over a data set, as `main` of its test.py or deploy_test.py has it."""
    from mmcv import Config
    from mmcv.parallel import MMDataParallel
    from mmocr.apis.inference import disable_text_recog_aug_test
    from mmocr.datasets import build_dataloader, build_dataset

    config = disable_text_recog_aug_test(Config.fromfile(request["config"]), ["test"])
    data = config.data.test.datasets[0]
    data.update(ann_file=request["ann_file"], img_prefix=request["img_prefix"])
    config.data.test.datasets = [data]
    dataset = build_dataset(config.data.test, {"test_mode": True})
    loader = build_dataloader(
        dataset, samples_per_gpu=1, workers_per_gpu=config.data.workers_per_gpu, dist=False, shuffle=False
    )
    options = {key: value for key, value in config.evaluation.items() if key not in HOOK_OPTIONS}
    if request["loop"] == "test":
        from mmocr.apis.test import single_gpu_test

        model = open_checkpoint(config, request["model"])
    else:
        from mmdet.apis import single_gpu_test

        model = open_onnx(config, request["model"], request["task"])
    warnings.simplefilter("ignore")
    parallel = MMDataParallel(model, device_ids=[0])
    return lambda: dataset.evaluate(single_gpu_test(parallel, loader), **options)


def open_network(request: Request) -> Callable[[], dict[str, float]]:
    """Return a function that runs a detector's network once on a tensor."""
    import numpy as np
    import torch
    from mmcv import Config

    model = open_checkpoint(Config.fromfile(request["config"]), request["model"]).eval()
    tensor = torch.from_numpy(np.load(request["tensor"]))

    def run() -> dict[str, float]:
        with torch.no_grad():
            model.bbox_head(model.extract_feat(tensor))
        return {}

    return run


def open_checkpoint(config: Any, checkpoint: str) -> Any:
    """Return the PyTorch model, as test.py makes it."""
    from mmcv.runner import load_checkpoint
    from mmocr.models import build_detector
    from mmocr.utils import revert_sync_batchnorm, setup_multi_processes

    setup_multi_processes(config)
    model = revert_sync_batchnorm(build_detector(config.model, test_cfg=config.get("test_cfg")))
    load_checkpoint(model, checkpoint, map_location="cpu")
    return model


def open_onnx(config: Any, file: str, task: str) -> Any:
    """Return the model in ONNX Runtime, as deploy_test.py makes it."""
    from mmocr.core.deployment import ONNXRuntimeDetector, ONNXRuntimeRecognizer

    return (ONNXRuntimeDetector if task == "det" else ONNXRuntimeRecognizer)(file, config, 0)


def main() -> None:
    """Answer until standard input ends; what MMOCR prints, such as its progress, goes nowhere."""
    loops: dict[str, Callable[[], dict[str, float]]] = {}
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict[str, float] = {}
            if request["do"] == "export":
                export(request)
            elif request["do"] == "open":
                is_network = request["loop"] == "network"
                loops[request["loop"]] = open_network(request) if is_network else open_loop(request)
            else:
                answer = loops[request["loop"]]()
            answers.write(json.dumps(answer, default=float) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
