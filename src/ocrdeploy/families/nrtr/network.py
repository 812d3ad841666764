"""NRTR in PyTorch: convolutions to a sequence, layers of attention over it, and a decoder of transformer layers.

Sheng et al., "NRTR: A No-Recurrence Sequence-to-Sequence Model For Scene Text Recognition", ICDAR 2019; MMOCR v0.6.3
and v1.0.1 `mmocr.models.textrecog.recognizers.nrtr.NRTR`.
"""

from torch import Tensor, nn

from ocrdeploy.layers.padding import valid_places
from ocrdeploy.layers.resnet31 import ResNet31
from ocrdeploy.layers.transformer import EncoderLayer
from ocrdeploy.layers.transformer_decoder import TransformerDecoder
from ocrdeploy.layers.words import best_classes, check_words

from .settings import HEIGHT, ModalityTransformSettings, NRTREncoderSettings, NRTRSettings

MODALITY_CHANNELS = (32, 64)


class NRTR(nn.Module):
    """The network; its state-dict keys are those of MMOCR's checkpoints.

    Args:
        settings: The network.
        decode_in_graph: Whether it gives the best class of each step and its probability, not all probabilities.
    """

    def __init__(self, settings: NRTRSettings, *, decode_in_graph: bool = False) -> None:
        super().__init__()
        self.in_channels = settings.in_channels
        self.decode_in_graph = decode_in_graph
        match settings.backbone:
            case ModalityTransformSettings() as backbone:
                self.backbone: nn.Module = ModalityTransform(backbone)
            case backbone:
                self.backbone = ResNet31(backbone)
        self.encoder = NRTREncoder(settings.encoder)
        self.decoder = TransformerDecoder(settings.decoder, settings.classes)

    def forward(self, images: Tensor, valid_ratio: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the probabilities of the characters, or the best class of each step.

        Args:
            images: Normalised word images, float32, N×C×32×W, in the order and range of the training.
            valid_ratio: The part of each image's width that is word, N, float32.

        Returns:
            Probabilities N×T×classes, see `decode_greedily`; with `decode_in_graph` the largest one's class N×T, int32,
            and it itself N×T.

        Raises:
            ShapeError: The images have another shape. While the network is traced for export nothing is checked.
        """
        self.check_input(images.shape)
        features: Tensor = self.backbone(images)
        sequence = features.flatten(2).transpose(1, 2)
        # MMOCR counts the places of all rows together: with several rows the last ones are taken for padding.
        valid = valid_places(valid_ratio, images.shape[3], sequence.shape[1])
        probabilities: Tensor = self.decoder(self.encoder(sequence, valid), valid)
        return best_classes(probabilities) if self.decode_in_graph else probabilities

    def check_input(self, shape: tuple[int, ...]) -> None:
        """Refuse images that are not N×C×32×W; see `check_words`."""
        check_words(shape, self.in_channels, HEIGHT)


class ModalityTransform(nn.Module):
    """Two convolutions of stride 2, and a linear layer on what is above each other.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.backbones.nrtr_modality_transformer.NRTRModalityTransform`.

    Args:
        settings: Channels of the images.
    """

    def __init__(self, settings: ModalityTransformSettings) -> None:
        super().__init__()
        first, second = MODALITY_CHANNELS
        self.conv_1 = nn.Conv2d(settings.in_channels, first, 3, stride=2, padding=1)
        self.bn_1 = nn.BatchNorm2d(first)
        self.conv_2 = nn.Conv2d(first, second, 3, stride=2, padding=1)
        self.bn_2 = nn.BatchNorm2d(second)
        self.relu = nn.ReLU()
        self.linear = nn.Linear(HEIGHT // 4 * second, settings.out_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return N×512×1×W/4 (rounded up) for images N×C×32×W, float."""
        features: Tensor = self.bn_1(self.relu(self.conv_1(images)))
        features = self.bn_2(self.relu(self.conv_2(features)))
        columns: Tensor = self.linear(features.permute(0, 3, 2, 1).flatten(2))
        return columns.transpose(1, 2).unsqueeze(2)


class NRTREncoder(nn.Module):
    """Layers of attention between the places of a feature map.

    MMOCR v0.6.3 and v1.0.1 `mmocr.models.textrecog.encoders.nrtr_encoder.NRTREncoder`.

    Args:
        settings: Layers and channels.
    """

    def __init__(self, settings: NRTREncoderSettings) -> None:
        super().__init__()
        self.layer_stack = nn.ModuleList(
            EncoderLayer(settings.n_head, settings.d_model, settings.d_inner) for _ in range(settings.n_layers)
        )
        self.layer_norm = nn.LayerNorm(settings.d_model)

    def forward(self, sequence: Tensor, valid: Tensor) -> Tensor:
        """Return N×K×C for N×K×C, float; `valid` says which of the places are seen, N×K, bool."""
        for layer in self.layer_stack:
            sequence = layer(sequence, valid[:, None, None])
        result: Tensor = self.layer_norm(sequence)
        return result
