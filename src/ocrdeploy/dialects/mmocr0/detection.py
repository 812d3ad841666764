"""The decoder of a detector's head, and its thresholds."""

from typing import Any, TypeVar

from ocrdeploy.decoders import (
    DBPostprocessor,
    Decoder,
    FCEPostprocessor,
    PANPostprocessor,
    PSEPostprocessor,
    TextRepr,
    TextSnakePostprocessor,
)
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError

HEADS = ("DBHead", "PANHead", "PSEHead", "FCEHead", "TextSnakeHead")

Kind = TypeVar("Kind", DBPostprocessor, PANPostprocessor, PSEPostprocessor)


def read_detection_decoder(head: Section) -> Decoder:
    """Read the post-processor of a detector's head, whose other keys are left.

    Raises:
        ConfigError: The head is not known, or one of the post-processor's options.
    """
    keys: tuple[str, ...]
    name = head.peek_type()
    match name:
        case "DBHead":
            keys = ("mask_thr", "min_text_score", "min_text_width", "unclip_ratio", "epsilon_ratio", "max_candidates")
            return _read_postprocessor(head, DBPostprocessor, keys, "quad")
        case "PANHead":
            keys = ("min_text_confidence", "min_kernel_confidence", "min_text_avg_confidence", "min_text_area")
            return _read_postprocessor(head, PANPostprocessor, keys, "poly")
        case "PSEHead":
            keys = ("min_kernel_confidence", "min_text_avg_confidence", "min_kernel_area", "min_text_area")
            return _read_postprocessor(head, PSEPostprocessor, keys, "poly")
        case "FCEHead":
            return _read_fce(head)
        case "TextSnakeHead":
            return _read_textsnake(head)
    raise ConfigError(f"{head.place}.type = {name!r}: the head is not supported; supported are {', '.join(HEADS)}")


def _read_postprocessor(head: Section, kind: type[Kind], keys: tuple[str, ...], default_text_repr: TextRepr) -> Kind:
    """Read a head's post-processor, which older configs give through keys of the head itself.

    Args:
        head: The head's section.
        kind: The post-processor that belongs to the head.
        keys: The thresholds that the post-processor knows.
        default_text_repr: What the head asks for when it names no post-processor.
    """
    section, older = _sections(head, kind.__name__, default_text_repr)
    settings = section.build(kind, (*keys, "text_repr_type"), _downsample_ratio(head) | older)
    section.finish()
    return settings


def _read_fce(head: Section) -> FCEPostprocessor:
    """Read FCENet's post-processor.

    MMOCR 0.x computes the rectangles that `quad` asks for, and gives the contours that they were made of.
    """
    keys = ("num_reconstr_points", "alpha", "beta", "score_thr")
    section, older = _sections(head, "FCEPostprocessor", "poly", keys)
    section.skip("fourier_degree", "nms_thr")
    head.skip("num_sample")
    section.take("text_repr_type", TextRepr, "poly")
    older.pop("text_repr_type", None)
    given = {
        "fourier_degree": head.peek("fourier_degree", int, 5),
        "scales": head.take("scales", tuple[int, ...]),
        "nms_thr": head.take("nms_thr", float, 0.1),
    }
    settings = section.build(FCEPostprocessor, keys, given | older)
    section.finish()
    return settings


def _read_textsnake(head: Section) -> TextSnakePostprocessor:
    """Read TextSnake's post-processor, which knows outlines alone."""
    section, older = _sections(head, "TextSnakePostprocessor", "poly")
    if older:
        Section(older, head.place).expect("text_repr_type", "poly")
    section.expect("text_repr_type", "poly")
    keys = ("min_text_region_confidence", "min_center_region_confidence", "min_center_area", "disk_overlap_thr")
    settings = section.build(TextSnakePostprocessor, (*keys, "radius_shrink_ratio"), _downsample_ratio(head))
    section.finish()
    return settings


def _sections(
    head: Section, kind: str, default_text_repr: TextRepr, older_keys: tuple[str, ...] = ()
) -> tuple[Section, dict[str, Any]]:
    """Return the section of a head's post-processor, and what older configs say of it in keys of the head.

    Args:
        head: The head's section.
        kind: MMOCR's name of the post-processor that belongs to the head.
        default_text_repr: What the head asks for when it names no post-processor.
        older_keys: Keys of the head that stand for those of the post-processor, beside `text_repr_type`.
    """
    if "postprocessor" in head:
        section = head.section("postprocessor")
        name = section.type_name()
        if name != kind:
            raise ConfigError(f"{section.place}.type = {name!r} cannot be honoured: this head takes {kind}")
    else:
        section = Section({"text_repr_type": default_text_repr}, f"{head.place}.postprocessor")
    # MMOCR leaves out an older key that is None or zero, and passes `decoding_type` on to those who ignore it.
    head.skip("decoding_type")
    found = {"text_repr_type": head.take("text_repr_type", TextRepr | None, None)}
    found |= {key: head.take(key, float | int | None, None) for key in older_keys}
    older = {key: value for key, value in found.items() if value}
    section.skip(*older)
    return section, older


def _downsample_ratio(head: Section) -> dict[str, float]:
    """Take the size of the maps by that of the network's input, where the head says it."""
    given = {key: head.take(key, float) for key in ("downsample_ratio",) if key in head}
    if given and given["downsample_ratio"] <= 0:
        raise ConfigError(f"{head.place}.downsample_ratio must be positive, got {given['downsample_ratio']}")
    return given
