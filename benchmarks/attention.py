"""Compare decoding that keeps what its steps have computed with MMOCR's way: all steps, each from the beginning.

    python benchmarks/attention.py satrn_small.py nrtr_modality_transform_academic.py --batch 4

Configs are MMOCR's own of NRTR and SATRN, weights are seeded. So that words end as words do, the score of the end class
is raised from a word's length on, on both sides alike; lengths are drawn around six characters. Ours runs in ONNX
Runtime, the other in PyTorch, as MMOCR does, with the same number of threads and the same weights. Texts must be equal.
"""

import argparse
import io
import platform
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from seeded_models import seeded
from timing import interleaved, ratios, spread
from torch import Tensor, nn

from ocrdeploy.descriptions.loading import load_config
from ocrdeploy.descriptions.networks import build_network
from ocrdeploy.graphs.cleanup import tidy
from ocrdeploy.graphs.loops import close_loops
from ocrdeploy.layers import transformer_decoder
from ocrdeploy.layers.greedy import GreedyRule, States, Step, decode_greedily
from ocrdeploy.layers.transformer import DecoderLayer
from ocrdeploy.layers.transformer_decoder import TransformerDecoder

RAISED = 1e3
DECODE = "decode_greedily"


def main() -> None:
    """Build, compare, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", type=Path, nargs="+", help="MMOCR configs of NRTR or SATRN")
    parser.add_argument("--batch", type=int, default=1, help="words of a batch (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after one to warm up (default: 5)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.processor() or platform.machine()}, {options.threads} thread(s), batches of {options.batch}")
    for config in options.configs:
        compare(config, options.batch, options.rounds, options.threads)


def compare(config: Path, batch: int, rounds: int, threads: int) -> None:
    """Measure one model and print a line."""
    loaded = load_config(config)
    network = build_network(loaded)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    tables = {key for key, _ in network.named_buffers() if "running_" not in key and "num_batches" not in key}
    network.load_state_dict(
        {key: seeded(key, shape) for key, shape in shapes.items() if key not in tables}, strict=False
    )
    generator = np.random.default_rng(7)
    height = loaded.tensors(None)[0][0].shape[2]
    images = generator.normal(0, 1, (batch, 3, int(height), 100)).astype(np.float32)
    lengths = generator.normal(6, 2, batch).round().clip(1, 14).astype(np.float32)
    feeds = {"images": images, "valid_ratio": np.ones(batch, np.float32), "lengths": lengths}
    ended = Ended(network).eval()
    session = export(ended, feeds, threads)
    tensors = tuple(torch.from_numpy(value) for value in feeds.values())

    def ours() -> NDArray[np.float32]:
        return np.asarray(session.run(None, feeds)[0])

    def theirs() -> NDArray[np.float32]:
        with torch.inference_mode(), patch.object(TransformerDecoder, "forward", from_the_beginning):
            return np.asarray(ended(*tensors))

    check(ours(), theirs(), lengths)
    times = interleaved({"ours": ours, "theirs": theirs}, rounds)
    ours_ms, theirs_ms = (spread([each * 1e3 for each in times[name]], 0) for name in ("ours", "theirs"))
    factor = spread(ratios(times["theirs"], times["ours"]))
    print(f"{config.stem}: ours {ours_ms} ms, from the beginning {theirs_ms} ms, {factor} times as long")


def check(ours: NDArray[np.float32], theirs: NDArray[np.float32], lengths: NDArray[np.float32]) -> None:
    """Refuse texts that differ."""
    for one, other, length in zip(ours, theirs, lengths.astype(int), strict=True):
        assert (one[: length + 1].argmax(axis=1) == other[: length + 1].argmax(axis=1)).all()  # noqa: S101


class Ended(nn.Module):
    """A network whose words end at given lengths, N float32, its last input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, valid_ratio: Tensor, lengths: Tensor) -> Tensor:
        """Return the probabilities."""

        def rigged(step: Step, states: States, words: Tensor, rule: GreedyRule) -> Tensor:
            def ending(number: Tensor, previous: Tensor, before: States) -> tuple[Tensor, States]:
                scores, left = step(number, previous, before)
                return raised(scores, number, lengths, rule), left

            return decode_greedily(ending, states, words, rule)

        vars(self.network.get_submodule("decoder"))["lengths"] = lengths  # what `from_the_beginning` reads
        with patch.object(transformer_decoder, DECODE, rigged):
            result: Tensor = self.network(images, valid_ratio)
        return result


def raised(scores: Tensor, number: Tensor, lengths: Tensor, rule: GreedyRule) -> Tensor:
    """Return scores with that of the end class as the lengths say."""
    is_end = torch.arange(scores.shape[1]).eq(-1 if rule.end is None else rule.end)
    sign = ((number >= lengths) * (2 * RAISED) - RAISED)[:, None]
    result: Tensor = torch.where(is_end, sign, scores)
    return result


def from_the_beginning(decoder: TransformerDecoder, features: Tensor, valid: Tensor) -> Tensor:
    """Return all probabilities as MMOCR computes them: each step anew, over places for all steps."""
    rule, batch = decoder.rule, features.shape[0]
    classes = torch.full((batch, rule.steps + 1), decoder.trg_word_emb.num_embeddings - 1)
    classes[:, 0] = rule.start
    causal = torch.ones(rule.steps + 1, rule.steps + 1, dtype=torch.bool).tril()
    found = []
    for number in range(rule.steps):
        steps = decoder.trg_word_emb(classes) + decoder.position_enc.position_table[:, : rule.steps + 1]
        for layer in decoder.layer_stack:
            assert isinstance(layer, DecoderLayer)  # noqa: S101
            given = layer.norm1(steps)
            steps = steps + layer.self_attn(given, layer.self_attn.memory(given), causal)
            image = layer.enc_attn.memory(features)
            steps = steps + layer.enc_attn(layer.norm2(steps), image, valid[:, None, None])
            steps = steps + layer.mlp(layer.norm3(steps))
        scores = decoder.classifier(decoder.layer_norm(steps)[:, number])
        found.append(raised(scores, torch.tensor(number), vars(decoder)["lengths"], rule).softmax(dim=1))
        classes[:, number + 1] = found[-1].argmax(dim=1)
    return torch.stack(found, dim=1)


def export(network: nn.Module, feeds: dict[str, NDArray[np.float32]], threads: int) -> ort.InferenceSession:
    """Return a session of the network's graph."""
    stream = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = tuple(torch.from_numpy(value) for value in feeds.values())
        torch.onnx.export(network, example, stream, dynamo=False, opset_version=17, input_names=list(feeds))  # type: ignore[arg-type]
    model = onnx.load_model_from_string(stream.getvalue())
    close_loops(model)
    tidy(model)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
