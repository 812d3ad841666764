"""The real MMOCR as one side of a comparison: pre-processing, network and decoding are its own code."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocrdeploy.artifacts import checkpoint_record, load_onnx
from ocrdeploy.backends import Batch, check_finite
from ocrdeploy.batches import as_batch, check_batch, make_batch
from ocrdeploy.decoders import AttentionPostprocessor, CTCConvertor, Outputs, TextDecoder
from ocrdeploy.decoders.attention import end_words
from ocrdeploy.descriptions.loading import load_outline
from ocrdeploy.descriptions.specs import CHANNELS, spec_of_outline
from ocrdeploy.dialects.outline import Outline
from ocrdeploy.errors import ShapeError
from ocrdeploy.families.family import valid_ratio_input
from ocrdeploy.hardware import CPU, Device
from ocrdeploy.model_spec import ExportOptions, ModelSpec, shape_text
from ocrdeploy.predictor import ImageInput
from ocrdeploy.results import Result
from ocrdeploy.steps import Preprocessed, color_type_of

from .exchange import SentImage, as_probabilities, read_result, take_array
from .interpreter import find_mmocr_python
from .session import MmocrSession

if TYPE_CHECKING:
    import onnx

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MmocrBackend:
    """The runtime, as reports name it. MMOCR runs on the CPU: its operators are built for no other device here."""

    name: str = "mmocr"
    precision: str = "fp32"
    device: Device = CPU
    tf32: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ExportedGraph:
    """A network as ONNX, the output's shape for the input that it was traced with, and the network in words."""

    model: "onnx.ModelProto"
    output_shape: tuple[int, ...]
    network: str


class MmocrReference:
    """A config and checkpoint in the real MMOCR; a context manager that ends its interpreter.

    `prepare`, `infer` and `decode` are the three steps of MMOCR's `simple_test`, so that each can be compared alone;
    calling the object runs them as MMOCR's own test loop does, and gives the same result.

    Args:
        session: MMOCR's interpreter, which has opened the model.
        spec: What the config says of it.

    Attributes:
        spec: As given.
        backend: Name and number format of the runtime.
        versions: The versions of MMOCR and what it stands on.
        color_type: How its pipeline reads image files.
    """

    def __init__(self, session: MmocrSession, spec: ModelSpec) -> None:
        self.spec = spec
        self.backend = MmocrBackend()
        self.versions = session.versions
        self.color_type = color_type_of(spec.preprocessing)
        self._session = session
        decoder = spec.postprocessing
        self._strings = decoder.dictionary if isinstance(decoder, TextDecoder) else ()
        self._reads_logits = isinstance(decoder, CTCConvertor) and decoder.reads == "logits"
        self._reads_padding = isinstance(decoder, CTCConvertor) and decoder.reads_padding

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the interpreter."""
        self._session.close()

    def __call__(self, image: ImageInput) -> Result:
        """Return the result that MMOCR's test loop gets for an image, without test-time augmentation of words.

        Raises:
            ImageError: The image cannot be read.
            CheckError: MMOCR failed.
        """
        with SentImage(self._session, image) as file:
            return read_result(self._session.request({"command": "predict", "image": file}), self._strings)

    def prepare(self, image: ImageInput, /) -> Preprocessed:
        """Bring an image through MMOCR's test pipeline.

        Args:
            image: A file, or H×W×3 uint8, channels in the order BGR.

        Raises:
            ImageError: The image cannot be read.
            CheckError: MMOCR failed.
        """
        tensor = self._session.new_file()
        with SentImage(self._session, image) as file:
            meta = self._session.request({"command": "prepare", "image": file, "tensor": str(tensor)})
        scale, resized, original = meta["scale_factor"], meta["resize_shape"], meta["original_shape"]
        return Preprocessed(
            tensor=take_array(tensor),
            scale_factor=None if scale is None else np.array(scale, np.float32),
            valid_ratio=meta["valid_ratio"],
            original_shape=(original[0], original[1]),
            resized_shape=(resized[0], resized[1]),
        )

    def infer(self, batch: Array | Batch, /) -> dict[str, Array]:
        """Run MMOCR's network up to its head.

        Args:
            batch: An array for each input that the spec names, or the images alone: N×C×H×W float32, already
                normalised. What is given beside images goes into their meta data.

        Returns:
            The outputs by their names, as they are before decoding changes them (PANet's post-processor puts a sigmoid
            in the place of the logits); of DBNet's three channels those that the spec names.

        Raises:
            ShapeError: Height or width is none of the network's.
            CheckError: MMOCR failed, or the output is not finite.
        """
        arrays = as_batch(batch, self.spec)
        check_batch(arrays, self.spec)
        given, *written = (self._session.new_file() for _ in (self.spec.input, *self.spec.outputs))
        np.save(given, arrays[self.spec.input.name])
        metas = {tensor.name: arrays[tensor.name].tolist() for tensor in self.spec.further_inputs}
        tensor = self.spec.outputs[0]
        channels = tensor.shape[1]
        files = {"batch": str(given), **_outputs([str(file) for file in written])}
        options = {"all_outputs": channels != 1, "logits": self._reads_logits}
        try:
            self._session.request({"command": "infer", **files, "metas": metas, **options})
        finally:
            given.unlink()
        outputs = {each.name: take_array(file) for each, file in zip(self.spec.outputs, written, strict=True)}
        for name, values in outputs.items():
            check_finite(values, name, "the real MMOCR")
        array = outputs[tensor.name]
        if isinstance(self.spec.postprocessing, AttentionPostprocessor):
            # Behind the end of a word our networks compute nothing.
            return {tensor.name: end_words(as_probabilities(array), self.spec.postprocessing.end_index)}
        return outputs | {tensor.name: array[:, :channels] if isinstance(channels, int) else array}

    def decode(self, outputs: Outputs, prepared: Sequence[Preprocessed], /) -> list[Result]:
        """Decode a batch's outputs with MMOCR's post-processing, with polygons in pixels of the original images.

        Args:
            outputs: N×C×H×W maps or N×T×C logits, MMOCR's or another side's. They are not written to.
            prepared: The images of the batch, in its order, MMOCR's or another side's.

        Raises:
            ShapeError: The output has another number of dimensions or images.
            CheckError: MMOCR failed.
        """
        output, *further = list(outputs.values())[: len(self.spec.outputs)]
        if output.ndim != len(self.spec.outputs[0].shape) or len(output) != len(prepared):
            raise ShapeError(f"an output of {len(prepared)} image(s) was expected, got {shape_text(output.shape)}")
        width = prepared[0].tensor.shape[2]
        metas = [
            {
                "scale_factor": None if item.scale_factor is None else [float(ratio) for ratio in item.scale_factor],
                "resize_shape": [int(length) for length in item.resized_shape],
                "valid_ratio": 1.0 if self._reads_padding else 1.0 * item.resized_shape[1] / width,
            }
            for item in prepared
        ]
        given = [self._session.new_file() for _ in (output, *further)]
        for file, array in zip(given, (output, *further), strict=True):
            np.save(file, array)
        try:
            files = _outputs([str(file) for file in given])
            request = {"command": "decode", **files, "metas": metas, "logits": self._reads_logits}
            return [read_result(document, self._strings) for document in self._session.request(request)]
        finally:
            for file in given:
                file.unlink()

    def stream(self, images: Iterable[ImageInput | Preprocessed]) -> Iterator[Result]:
        """Yield the result of each image, or of what one was prepared to, in order.

        Raises:
            ImageError: An image cannot be read.
            CheckError: MMOCR failed.
        """
        for image in images:
            prepared = image if isinstance(image, Preprocessed) else self.prepare(image)
            yield from self.decode(self.infer(make_batch([prepared], self.spec, 1)), [prepared])

    def export(self, shape: tuple[int, int, int, int], options: ExportOptions) -> "ExportedGraph":
        """Let MMOCR write its network as ONNX, by PyTorch's TorchScript-based exporter.

        Args:
            shape: The input shape N×C×H×W to trace with.
            options: How to write the graph.

        Raises:
            ConfigError: The network has operators that ONNX lacks.
            MissingPackageError: MMOCR's interpreter lacks onnx.
            CheckError: PyTorch cannot export the network.
        """
        file = self._session.new_file(".onnx")
        axes = {
            tensor.name: {
                str(axis): name
                for axis, name in enumerate(tensor.shape)
                # How many channels a head has is not known before the model has run, but it is fixed.
                if isinstance(name, str) and name != CHANNELS
            }
            for tensor in (self.spec.input, *self.spec.outputs)
        }
        document = self._session.request(
            {
                "command": "export",
                "file": str(file),
                "shape": shape,
                "opset": options.opset,
                "input": self.spec.input.name,
                **_outputs([tensor.name for tensor in self.spec.outputs]),
                "dynamic_axes": axes if options.dynamic else {},
                "all_outputs": options.all_outputs,
                "logits": self._reads_logits,
            }
        )
        model = load_onnx(file)
        file.unlink()
        return ExportedGraph(model, tuple(document["output_shape"]), document["network"])


def _outputs(values: list[str]) -> dict[str, Any]:
    """Return files or names of outputs as requests have them."""
    return {"output": values[0], "further": values[1:]}


def open_mmocr_reference(
    config: Path,
    checkpoint: Path,
    *,
    export: ExportOptions | None = None,
    python: Path | None = None,
    trust_checkpoint: bool = False,
    outline: Outline | None = None,
) -> MmocrReference:
    """Open a config and checkpoint in the real MMOCR.

    Args:
        config: The MMOCR config; both interpreters read it, which runs it.
        checkpoint: The checkpoint.
        export: The options of the export that is compared with it, which decide how many of DBNet's channels count.
        python: MMOCR's interpreter; see `find_mmocr_python`.
        trust_checkpoint: Let it read the checkpoint by running the code that it holds.
        outline: What the config says, if it was read before.

    Raises:
        ConfigError: The config is broken, or asks for pre- or post-processing that is not known.
        CheckpointError: The checkpoint is broken or does not fit.
        MachineError: There is no interpreter that holds MMOCR.
    """
    outline = outline or load_outline(config)
    spec = spec_of_outline(outline, checkpoint=checkpoint_record(checkpoint), export=export)
    if isinstance(spec.postprocessing, AttentionPostprocessor):
        # Whether its network masks padding or not, MMOCR tells it which part of a word's image is none.
        spec = msgspec.structs.replace(spec, further_inputs=(valid_ratio_input(spec.input.shape[0]),))
    session = MmocrSession(find_mmocr_python(python, outline.dialect), outline.dialect)
    try:
        open_model(session, config, checkpoint, trust=trust_checkpoint)
    except BaseException:
        session.close()
        raise
    return MmocrReference(session, spec)


def open_model(session: MmocrSession, config: Path, checkpoint: Path, *, trust: bool = False) -> None:
    """Let MMOCR build the config's model with the checkpoint's weights.

    Raises:
        ConfigError: MMOCR cannot make a model of the config.
        CheckpointError: The checkpoint is broken or does not fit.
    """
    files = {"config": str(config.absolute()), "checkpoint": str(checkpoint.absolute())}
    session.request({"command": "open", **files, "trust": trust})
