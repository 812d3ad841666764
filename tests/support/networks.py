"""Networks with seeded weights, and their ONNX models."""

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from ocrdeploy.checkpoints.weights import load_weights
from ocrdeploy.families.crnn.network import CRNN, build_crnn
from ocrdeploy.families.crnn.settings import CRNNSettings
from ocrdeploy.families.dbnet.network import FPNC, DBHead
from ocrdeploy.families.dbnet.settings import DBHeadSettings, FPNCSettings
from ocrdeploy.families.panet.network import FPEMFFM
from ocrdeploy.families.psenet.network import FPNF
from ocrdeploy.families.psenet.settings import FPNFSettings
from ocrdeploy.layers.detector import Detector
from ocrdeploy.layers.map_head import MapHead
from ocrdeploy.layers.resnet import ResNet
from ocrdeploy.model_spec import Upsample
from tests.support.network_cases import SEED, AnySettings
from tests.support.weights import seeded_arrays


def build_network(
    settings: AnySettings, *, upsample: Upsample = "nearest", all_outputs: bool = False, decode_in_graph: bool = False
) -> Detector | CRNN:
    """Return a network of any parts, in evaluation mode."""
    if isinstance(settings, CRNNSettings):
        return build_crnn(settings, decode_in_graph=decode_in_graph).eval()
    neck: torch.nn.Module
    match settings.neck:
        case FPNCSettings() as fpnc:
            neck = FPNC(fpnc, upsample)
        case FPNFSettings() as fpnf:
            neck = FPNF(fpnf, upsample)
        case fpem_ffm:
            neck = FPEMFFM(fpem_ffm, upsample)
    head = settings.head
    module = DBHead(head, all_outputs=all_outputs) if isinstance(head, DBHeadSettings) else MapHead(head)
    return Detector(ResNet(settings.backbone), neck, module, settings.backbone.in_channels).eval()


def seeded_network(
    settings: AnySettings, *, upsample: Upsample = "nearest", all_outputs: bool = False
) -> Detector | CRNN:
    """Return a network with the weights that the recordings were made with."""
    network = build_network(settings, upsample=upsample, all_outputs=all_outputs)
    shapes = [(key, tuple(value.shape)) for key, value in network.state_dict().items()]
    weights = {key: torch.from_numpy(np.asarray(value)) for key, value in seeded_arrays(shapes, SEED).items()}
    load_weights(network, weights, "the seed")
    return network


def run_torch(network: torch.nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the network's output."""
    with torch.inference_mode():
        output: NDArray[np.float32] = network(torch.from_numpy(images)).numpy()
    return output


def export_onnx(network: Detector | CRNN, images: NDArray[np.float32], opset: int = 17) -> onnx.ModelProto:
    """Return the network's ONNX model, with every dimension dynamic that can be; a warning fails the test.

    Excepted are the exporter's own deprecation, and what it says of any LSTM.
    """
    stream = io.BytesIO()
    free = {0: "batch", 2: "height", 3: "width"} if isinstance(network, Detector) else {0: "batch", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python", module=r"torch\.nn\.modules\.rnn")
        warnings.filterwarnings("ignore", message="Exporting a model to ONNX with a batch_size other than 1")
        torch.onnx.export(
            network,
            (torch.from_numpy(images),),
            stream,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": free},
        )
    return onnx.load_model_from_string(stream.getvalue())


def open_onnx(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_onnx(session: onnxruntime.InferenceSession, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the model's only output."""
    (output,) = session.run(None, {"input": images})
    return np.asarray(output)
