"""What recognisers that decode step by step share in configs and specs."""

from ocrdeploy.decoders.attention import attention_tensors
from ocrdeploy.dialects.section import Section
from ocrdeploy.layers.recogniser_settings import ClassSettings, ResNet31Settings, TransformerDecoderSettings
from ocrdeploy.model_spec import ExportOptions, TensorSpec

from .family import Tensors, valid_ratio_input

CLASS_KEYS = ("num_classes", "start_idx", "end_idx", "padding_idx", "scores_padding")
DEFAULT_STEPS = 30
"""Number of steps of MMOCR 1.x's decoders whose config has none; for 0.x the model says it."""


def read_classes(decoder: Section) -> ClassSettings:
    """Take what a decoder's section says of its classes.

    Raises:
        ConfigError: There is no class to start with, or a class does not exist.
    """
    steps = decoder.take("max_seq_len", int, DEFAULT_STEPS)
    return decoder.build(ClassSettings, CLASS_KEYS, {"max_seq_len": steps})


def read_resnet31(section: Section) -> ResNet31Settings:
    """Read ResNet31OCR, which gives its last feature map alone.

    Raises:
        ConfigError: It is another backbone, or has options that cannot be honoured.
    """
    section.expect_type("ResNet31OCR")
    section.expect("out_indices", None)
    given = {}
    if "stage4_pool_cfg" in section:
        pooling = section.section("stage4_pool_cfg")
        edges = pooling.take("kernel_size", tuple[int, int])
        pooling.expect("stride", edges)
        pooling.finish()
        given["stage4_pool"] = edges
    settings = section.build(ResNet31Settings, ("base_channels", "layers", "channels", "last_stage_pool"), given)
    section.finish()
    return settings


def word_tensors(word: TensorSpec, classes: ClassSettings, options: ExportOptions, *, is_masked: bool) -> Tensors:
    """Return the inputs and outputs of a recogniser.

    Args:
        word: The image.
        classes: What is decoded.
        options: How it is exported.
        is_masked: Whether the padding beside a word is masked, so that `valid_ratio` is an input.
    """
    batch = word.shape[0]
    reads = attention_tensors(
        (batch, classes.max_seq_len),
        classes.scored_classes,
        "best_classes" if options.decode_in_graph else "probabilities",
    )
    return ((word, valid_ratio_input(batch)) if is_masked else (word,)), reads


def read_transformer_decoder(section: Section) -> TransformerDecoderSettings:
    """Read NRTRDecoder, whose classes have been taken.

    Raises:
        ConfigError: It is another decoder, or has options that cannot be honoured.
    """
    section.expect_type("NRTRDecoder")
    section.skip("dropout")
    keys = ("n_layers", "d_embedding", "n_head", "d_k", "d_v", "d_model", "d_inner", "n_position")
    settings = section.build(TransformerDecoderSettings, keys)
    section.finish()
    return settings
