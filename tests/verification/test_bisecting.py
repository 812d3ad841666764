"""Faults in every part of every architecture, each found by PyTorch's values and by those of the right ONNX model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest

from ocrdeploy import open_predictor
from ocrdeploy.errors import UsageError
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.steps import Preprocessed
from ocrdeploy.verification.bisecting import Bisection, bisect, check_bisectable
from ocrdeploy.verification.tensor_difference import TensorDifference
from ocrdeploy.verification.tolerances import Tolerance, rule_of
from tests.support.batches import prepared_of
from tests.support.faults import GraphEdit, changed_attributes, changed_operator, changed_weight, plant
from tests.support.float16_rounding import said_to_be_float16
from tests.support.models import ARCHITECTURES, STEP_BY_STEP

RNN = "/decoder/decoder/decoder.0/rnn/LSTM"
LINEAR = "/decoder/decoder/decoder.1/embedding/MatMul"

LEAST_SHARE = 0.5
"""Of the nodes of a recogniser that decodes step by step, so many have a counterpart in PyTorch at least."""


def noise(architecture: str) -> list[Preprocessed]:
    others = (1, 3, 32, 64) if architecture in STEP_BY_STEP else (1, 3, 64, 96)
    shape = {"crnn": (1, 1, 32, 60), "abinet": (1, 3, 32, 64)}.get(architecture, others)
    return prepared_of(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def find(reference: Path, candidate: Path, architecture: str, backend: str | None = None) -> Bisection:
    with open_predictor(reference, backend=backend) as right, open_predictor(candidate) as wrong:
        return bisect(right, wrong, noise(architecture), Tolerance())


@dataclass(frozen=True)
class Fault:
    """A fault, and what has to be named."""

    architecture: str
    edit: GraphEdit = field(repr=False)
    node: str
    operator: str
    module: str
    folded: str = ""


LINEAR_MODE = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}

FAULTS = {
    "weight in the backbone": Fault(
        "dbnet",
        changed_weight("/backbone/layer2/layer2.0/conv1/Conv"),
        "/backbone/layer2/layer2.0/conv1/Conv", "Conv", "backbone.layer2.0.conv1", "backbone.layer2.0.bn1",
    ),
    "bias in the backbone": Fault(
        "panet",
        changed_weight("/backbone/layer3/layer3.0/downsample/downsample.0/Conv", 2, 1.5),
        "/backbone/layer3/layer3.0/downsample/downsample.0/Conv", "Conv", "backbone.layer3.0.downsample.0",
        "backbone.layer3.0.downsample.1",
    ),
    "resize mode in DBNet's neck": Fault(
        "dbnet", changed_attributes("/neck/Resize_4", **LINEAR_MODE), "/neck/Resize_4", "Resize", "neck"
    ),
    "resize mode of a node that stands for two of PSENet's calls": Fault(
        "psenet", changed_attributes("/neck/Resize_2", **LINEAR_MODE), "/neck/Resize_2", "Resize", "neck"
    ),
    "resize mode in an FPEM": Fault(
        "panet", changed_attributes("/neck/fpems.1/Resize_1", **LINEAR_MODE),
        "/neck/fpems.1/Resize_1", "Resize", "neck.fpems.1",
    ),
    "scale that is off by one, in PANet's fusion": Fault(
        "panet", changed_attributes("/neck/Resize_2", coordinate_transformation_mode="align_corners"),
        "/neck/Resize_2", "Resize", "neck",
    ),
    "operator between layers": Fault("dbnet", changed_operator("/neck/Add_1", "Mul"), "/neck/Add_1", "Mul", "neck"),
    "weight in the head": Fault(
        "dbnet",
        changed_weight("/bbox_head/binarize/binarize.6/ConvTranspose"),
        "/bbox_head/binarize/binarize.6/ConvTranspose", "ConvTranspose", "bbox_head.binarize.6",
    ),
    "activation at the end": Fault(
        "dbnet",
        changed_operator("/bbox_head/binarize/binarize.7/Sigmoid", "HardSigmoid"),
        "/bbox_head/binarize/binarize.7/Sigmoid", "HardSigmoid", "bbox_head.binarize.7",
    ),
    "weight of a recurrence": Fault("crnn", changed_weight(RNN, 2, 1.2), RNN, "LSTM", "decoder.decoder.0.rnn"),
    "weight of a linear layer": Fault(
        "crnn", changed_weight(LINEAR, 1, 1.5), LINEAR, "MatMul", "decoder.decoder.1.embedding"
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named(fault: Fault, backend: str, seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx(fault.architecture)
    bisection = find(model, plant(model, tmp_path, fault.edit), fault.architecture, backend)
    found = bisection.divergence
    assert found is not None
    assert (found.node, found.operator, found.module) == (fault.node, fault.operator, fault.module)
    assert found.folded == (fault.folded if backend == "torch" else "")
    assert fault.node in [suspect.name for suspect in found.suspects]
    assert found.max_abs > 10 * found.allowed
    assert found.inputs_max_abs <= 1e-4
    assert found.shapes[0] == found.shapes[1]
    assert found.worst is not None
    assert bisection.compared <= bisection.shared


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_is_found_where_nothing_is_wrong(
    architecture: str, backend: str, seeded_onnx: Callable[[str], Path]
) -> None:
    model = seeded_onnx(architecture)
    if architecture in STEP_BY_STEP and backend == "torch":
        with open_predictor(model, backend="torch") as network, open_predictor(model) as graph:
            for sides in ((network, graph), (graph, network)):
                with pytest.raises(UsageError, match="decodes in a loop"):
                    check_bisectable(*sides)
        return
    bisection = find(model, model, architecture, backend)
    assert bisection.divergence is None
    nodes = [node for node in onnx.load_model(model).graph.node if node.op_type != "Constant"]
    # Of CRNN's two LSTMs the nodes that bring the sequence into PyTorch's shape have no value in PyTorch, nor have the
    # parts of GELU and of attention; a shape is no value.
    missing = {"crnn": (4, 0), "svtr": (49, 1), "abinet": (46, 4)}.get(architecture, (0, 0))[backend != "torch"]
    assert bisection.compared == bisection.shared
    if architecture in STEP_BY_STEP:
        # What is inside of the loop has no value that can be looked at, and its surroundings are made for the graph.
        assert bisection.shared >= LEAST_SHARE * len(nodes)
    else:
        assert bisection.shared == len(nodes) - missing


def test_a_shape_that_differs_is_found(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "MaxPool")
        pads = next(attribute for attribute in node.attribute if attribute.name == "pads")
        pads.ints[:] = [0, 0, 0, 0]

    # A pooling without padding leaves a pixel less of each edge; without the rest of the network, which would not fit.
    model = seeded_onnx("dbnet")
    faulty = plant(model, tmp_path, edit)
    graph = onnx.load_model(faulty)
    del graph.graph.node[3:]
    graph.graph.output[0].name = "/backbone/maxpool/MaxPool_output_0"
    for dimension in graph.graph.output[0].type.tensor_type.shape.dim:
        dimension.dim_param = "x"
    onnx.save_model(graph, faulty)
    with open_predictor(model, backend="torch") as right, open_predictor(model) as wrong:
        wrong.backend.path = faulty  # type: ignore[attr-defined]
        found = bisect(right, wrong, noise("dbnet"), Tolerance()).divergence
    assert found is not None
    assert (found.node, found.operator) == ("/backbone/maxpool/MaxPool", "MaxPool")
    assert found.max_abs == np.inf
    assert found.shapes == ((1, 8, 16, 24), (1, 8, 15, 23))


def test_the_first_of_several_faults_is_named(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    model = seeded_onnx("dbnet")

    def edit(graph: onnx.ModelProto) -> None:
        changed_weight("/bbox_head/binarize/binarize.0/Conv")(graph)
        changed_attributes("/neck/Resize", **LINEAR_MODE)(graph)

    found = find(model, plant(model, tmp_path, edit), "dbnet", "torch").divergence
    assert found is not None
    assert found.node == "/neck/Resize"


def test_a_node_that_was_put_in_is_among_the_suspects(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        conv = next(node for node in model.graph.node if node.name == "/neck/smooth_convs.1/conv/Conv")
        added = onnx.helper.make_node("Neg", [conv.input[0]], ["negative"], "added")
        conv.input[0] = "negative"
        model.graph.node.insert(list(model.graph.node).index(conv), added)

    model = seeded_onnx("dbnet")
    found = find(model, plant(model, tmp_path, edit), "dbnet", "torch").divergence
    assert found is not None
    assert [suspect.name for suspect in found.suspects] == ["added", "/neck/smooth_convs.1/conv/Conv"]


def test_graphs_whose_names_are_lost_are_compared_in_their_order(
    seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    def rename(model: onnx.ModelProto) -> None:
        changed_weight("/neck/lateral_convs.2/conv/Conv")(model)
        names = {output: f"v{i}" for i, node in enumerate(model.graph.node) for output in node.output}
        del names["prob_map"]
        for index, node in enumerate(model.graph.node):
            node.name = f"n{index}"
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]

    model = seeded_onnx("dbnet")
    faulty = plant(model, tmp_path, rename)
    graph = onnx.load_model(model)
    place = next(i for i, node in enumerate(graph.graph.node) if node.name == "/neck/lateral_convs.2/conv/Conv")
    found = find(model, faulty, "dbnet").divergence
    assert found is not None
    assert (found.node, found.operator, found.module) == (f"n{place}", "Conv", "neck.lateral_convs.2.conv")
    with pytest.raises(UsageError, match="no node in common by name"):
        find(model, faulty, "dbnet", "torch")


@pytest.mark.parametrize("architecture", ["dbnet", "psenet"])
def test_float16_is_compared_behind_its_casts(
    architecture: str, seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    model = seeded_onnx(architecture)
    half = tmp_path / "half.onnx"
    onnx.save_model(said_to_be_float16(convert_to_float16(onnx.load_model(model)).model), half)
    with open_predictor(model, backend="torch") as right, open_predictor(half) as candidate:
        bisection = bisect(right, candidate, noise(architecture), rule_of("fp16").tensors)
        strict = bisect(right, candidate, noise(architecture), Tolerance(1e-7, 1e-7))
    assert bisection.divergence is None
    whole = find(model, model, architecture, "torch")
    assert bisection.shared == whole.shared
    assert strict.divergence is not None


def test_the_reference_may_be_the_graph_and_both_may_be_pytorch(
    seeded_onnx: Callable[[str], Path], tmp_path: Path
) -> None:
    model = seeded_onnx("dbnet")
    faulty = plant(model, tmp_path, changed_weight("/neck/lateral_convs.0/conv/Conv"))
    with open_predictor(model, backend="torch") as right, open_predictor(faulty) as wrong:
        found = bisect(wrong, right, noise("dbnet"), Tolerance()).divergence
        same = bisect(right, right, noise("dbnet"), Tolerance())
    assert found is not None
    assert found.node == "/neck/lateral_convs.0/conv/Conv"
    assert same.divergence is None
    assert same.compared > 50


def test_values_are_compared_in_groups_of_bounded_size(
    seeded_onnx: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrdeploy.verification.network_values.MAX_GROUP_VALUES", 20_000)
    model = seeded_onnx("dbnet")
    steps: list[tuple[int, int]] = []
    with open_predictor(model, backend="torch") as right, open_predictor(model) as candidate:
        bisection = bisect(right, candidate, noise("dbnet"), Tolerance(), lambda *step: steps.append(step))
    assert bisection.divergence is None
    assert steps[0] == (0, bisection.shared)
    assert steps[-1] == (bisection.shared, bisection.shared)
    assert len(steps) > 3


def test_a_side_that_shows_no_nodes_is_refused(small_onnx: Path) -> None:
    with open_predictor(small_onnx) as predictor:
        assert check_bisectable(predictor, predictor) == (predictor, predictor)

        class Other:
            """Something that is no predictor."""

            spec = predictor.spec
            backend = predictor.backend
            prepare = predictor.prepare
            infer = predictor.infer
            decode = predictor.decode

        with pytest.raises(UsageError, match="--bisect looks at the nodes of PyTorch networks and ONNX models"):
            check_bisectable(Other(), predictor)


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("reference", "candidate", "differs"),
    [
        ([1, -INF], [99, -INF], True),
        ([1, -INF], [1, 0.3], True),
        ([1, 0.3], [1, -INF], True),
        ([1, -INF], [1, INF], True),
        ([1, NAN], [1, 0.3], True),
        ([1, NAN], [2, NAN], True),
        ([1, -INF, NAN], [1, -INF, NAN], False),
    ],
)
def test_infinities_and_nan_hide_nothing(reference: list[float], candidate: list[float], differs: bool) -> None:
    arrays = np.array(reference, np.float32), np.array(candidate, np.float32)
    difference = TensorDifference("x", Tolerance())
    difference.add(*arrays, nan_equals_nan=True)
    assert difference.passed != differs


def test_two_models_with_masks_agree_node_by_node(seeded_onnx: Callable[[str], Path], tmp_path: Path) -> None:
    def masked(weight: float) -> GraphEdit:
        def edit(model: onnx.ModelProto) -> None:
            graph = model.graph
            name = graph.output[0].name
            for node in graph.node:
                node.output[:] = ["whole" if each == name else each for each in node.output]
            values = {"low": -np.inf, "half": 0.5, "weight": weight}
            for key, value in values.items():
                graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), key))
            graph.node.extend(
                [
                    onnx.helper.make_node("Greater", ["whole", "half"], ["kept"], "/m/Greater"),
                    onnx.helper.make_node("Where", ["kept", "whole", "low"], ["masked"], "/m/Where"),
                    onnx.helper.make_node("Mul", ["masked", "weight"], ["scaled"], "/m/Mul"),
                    onnx.helper.make_node("Max", ["scaled", "whole"], [name], "/m/Max"),
                ]
            )

        return edit

    models = [
        plant(seeded_onnx("dbnet"), tmp_path, masked(weight), name=name)
        for name, weight in (("a", 1.0), ("b", 1.0), ("c", 0.5))
    ]
    batch = np.random.default_rng(0).standard_normal((1, 3, 32, 64), dtype=np.float32)
    with open_predictor(models[0]) as right, open_predictor(models[1]) as same, open_predictor(models[2]) as other:
        assert bisect(right, same, prepared_of(batch), Tolerance()).divergence is None
        divergence = bisect(right, other, prepared_of(batch), Tolerance()).divergence
    assert divergence is not None
    assert divergence.node == "/m/Mul"
