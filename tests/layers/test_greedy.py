"""A small decoder of a made-up family, decoded in PyTorch and in ONNX, against all of its steps from the beginning."""

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocrdeploy.backends.trt import load_library
from ocrdeploy.backends.trt_parser import parse_network
from ocrdeploy.graphs.cleanup import tidy
from ocrdeploy.graphs.float16 import TypedGraph
from ocrdeploy.graphs.loops import MARKERS, close_loops
from ocrdeploy.graphs.mixed_precision import convert_to_float16
from ocrdeploy.layers.greedy import GreedyRule, States, decode_greedily, put
from tests.support.networks import open_onnx
from tests.support.tensorrt import RTX, needs_rtx

CHANNELS, CLASSES, STEPS = 8, 7, 12
START, END = 6, 5
ROUNDING = 1e-5
"""Of probabilities in float32; the sums of all steps together and of each alone are made in other orders."""


class Attention(nn.Module):
    """One layer of attention to the steps before, another to the image, with places of the steps by an LSTM cell."""

    def __init__(self, rule: GreedyRule) -> None:
        super().__init__()
        self.rule = rule
        self.embedding = nn.Embedding(CLASSES, CHANNELS)
        self.cell = nn.LSTM(CHANNELS, CHANNELS, batch_first=True)
        self.key, self.value = nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.scores = nn.Linear(CHANNELS, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        keys = self.key(words)
        batch = words.shape[0]
        state, kept = torch.zeros(1, batch, CHANNELS), torch.zeros(batch, self.rule.steps, CHANNELS)

        def step(number: Tensor, previous: Tensor, states: States) -> tuple[Tensor, States]:
            hidden, cell, keys_before, values_before = states
            query, (hidden, cell) = self.cell(self.embedding(previous)[:, None], (hidden, cell))
            keys_now = put(keys_before, number, self.key(query))
            values_now = put(values_before, number, self.value(query))
            seen = torch.arange(self.rule.steps) <= number
            found = attend(query, keys_now, values_now, seen) + attend(query, keys, words, None)
            return self.scores(found)[:, 0], (hidden, cell, keys_now, values_now)

        return decode_greedily(step, (state, state, kept, kept), words, self.rule)

    def from_the_beginning(self, words: Tensor) -> Tensor:
        """Return all steps' probabilities, each step computed with all steps before it, as MMOCR does."""
        classes = torch.full((words.shape[0], 1), self.rule.start)
        while True:
            query, _ = self.cell(self.embedding(classes))
            causal = torch.ones(classes.shape[1], classes.shape[1]).tril().bool()
            found = attend(query, self.key(query), self.value(query), causal)
            found = found + attend(query, self.key(words), words, None)
            probabilities: Tensor = self.scores(found).softmax(dim=-1)
            if classes.shape[1] == self.rule.steps:
                return probabilities
            classes = torch.cat([classes, probabilities[:, -1:].argmax(dim=-1)], dim=1)


def attend(query: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None) -> Tensor:
    scores = query @ keys.transpose(1, 2)
    if seen is not None:
        scores = scores.masked_fill(~seen, -1e4)
    return scores.softmax(dim=-1) @ values


def make_network(end: int | None = END) -> Attention:
    torch.manual_seed(9)
    network = Attention(GreedyRule(STEPS, CLASSES, START, end)).eval()
    with torch.no_grad():
        # So that classes differ clearly, and words end at several steps.
        network.scores.weight *= 3
        network.embedding.weight *= 4
        network.key.weight *= 0.5
    return network


def make_words(batch: int, length: int) -> NDArray[np.float32]:
    return np.random.RandomState(batch).normal(0, 2, (batch, length, CHANNELS)).astype(np.float32)


def export(network: nn.Module, opset: int = 17) -> onnx.ModelProto:
    stream = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python", module=r"torch\.nn\.modules\.rnn")
        warnings.filterwarnings("ignore", message="Exporting a model to ONNX with a batch_size other than 1")
        torch.onnx.export(
            network,
            (torch.from_numpy(make_words(1, 4)),),
            stream,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch", 1: "length"}, "output": {0: "batch"}},
        )
    model = onnx.load_model_from_string(stream.getvalue())
    close_loops(model)
    tidy(model)
    return model


def run_torch(network: nn.Module, words: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(words)))


def run_onnx(session: onnxruntime.InferenceSession, words: NDArray[np.float32]) -> NDArray[np.float32]:
    (output,) = session.run(None, {"input": words})
    return np.asarray(output)


def lengths(probabilities: NDArray[np.float32]) -> list[int]:
    ends = probabilities.argmax(axis=2) == END
    return [int(row.argmax()) if row.any() else STEPS for row in ends]


@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("end", [END, None])
def test_it_gives_what_all_steps_from_the_beginning_give(batch: int, end: int | None) -> None:
    network, words = make_network(end), make_words(batch, 5)
    with torch.inference_mode():
        expected = network.from_the_beginning(torch.from_numpy(words)).numpy()
    stops = [STEPS if end is None else min(length + 1, STEPS) for length in lengths(expected)]
    for output in (run_torch(network, words), run_onnx(open_onnx(export(network)), words)):
        assert output.shape == (batch, STEPS, CLASSES)
        for word, wanted, stop in zip(output, expected, stops, strict=True):
            np.testing.assert_allclose(word[:stop], wanted[:stop], atol=ROUNDING, rtol=0)
            np.testing.assert_array_equal(word[stop:], np.eye(CLASSES, dtype=np.float32)[[END] * (STEPS - stop)])


def test_the_words_of_the_test_end_at_several_steps() -> None:
    with torch.inference_mode():
        found = lengths(make_network().from_the_beginning(torch.from_numpy(make_words(9, 5))).numpy())
    assert len(set(found)) > 2
    assert min(found) < STEPS == max(found)


def test_a_word_has_the_same_text_alone_and_in_a_batch() -> None:
    network, words = make_network(), make_words(9, 5)
    together = run_torch(network, words)
    for index in range(9):
        np.testing.assert_allclose(run_torch(network, words[index : index + 1])[0], together[index], atol=ROUNDING)


def test_the_loop_stops_when_all_words_have_ended() -> None:
    steps: list[int] = []

    def step(number: Tensor, previous: Tensor, _states: States) -> tuple[Tensor, States]:
        steps.append(int(number))
        ends = torch.tensor([1, 3])[:, None] == number
        return torch.where(ends, torch.tensor([[0.0, 9.0]]), torch.tensor([[9.0, 0.0]])), ()

    output = decode_greedily(step, (), torch.zeros(2, 4), GreedyRule(50, 2, 0, 1))
    assert steps == [0, 1, 2, 3]
    assert output.argmax(dim=2).argmax(dim=1).tolist() == [1, 3]
    assert (output[0, 2:] == torch.tensor([0.0, 1.0])).all()


def test_an_empty_batch_has_no_words() -> None:
    # ONNX Runtime aborts the process when an LSTM of its own is given no word; the package never runs it so.
    assert run_torch(make_network(), make_words(0, 4)).shape == (0, STEPS, CLASSES)


@pytest.mark.parametrize("opset", [11, 13, 17, 20])
def test_every_opset_has_the_loop_and_no_marker(opset: int) -> None:
    network, words = make_network(), make_words(2, 6)
    model = export(network, opset)
    assert [node.op_type for node in model.graph.node].count("Loop") == 1
    assert all(node.domain != MARKERS for node in model.graph.node)
    assert [each.domain for each in model.opset_import] == [""]
    np.testing.assert_allclose(run_onnx(open_onnx(model), words), run_torch(network, words), atol=ROUNDING)


def test_what_is_the_same_in_all_steps_is_computed_once() -> None:
    graph = export(make_network()).graph
    (loop,) = (node for node in graph.node if node.op_type == "Loop")
    (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
    # The keys of the image; those of a step, its value and scores, and twice a product with keys and with values.
    count = ["MatMul", "Gemm"]
    assert sum(node.op_type in count for node in graph.node) == 1
    assert sum(node.op_type in count for node in body.node) == 7


def test_float16_stays_outside_of_the_loop() -> None:
    network, words = make_network(), make_words(3, 5)
    model = convert_to_float16(export(network)).model
    assert onnx.TensorProto.FLOAT16 in TypedGraph(model).types.values()
    output = run_onnx(open_onnx(model), words)
    assert lengths(output) == lengths(run_torch(network, words))


@needs_rtx
def test_tensorrt_takes_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(export(make_network()), path)
    parsed = parse_network(load_library(RTX), path)
    assert parsed.network.num_outputs == 1
    assert tuple(parsed.network.get_output(0).shape) == (-1, STEPS, CLASSES)


@pytest.mark.parametrize(("steps", "classes", "end"), [(0, 3, 1), (4, 0, None), (4, 3, 3), (4, 3, -1)])
def test_rules_that_mean_nothing_are_refused(steps: int, classes: int, end: int | None) -> None:
    with pytest.raises(ValueError, match="got"):
        GreedyRule(steps, classes, 0, end)
