"""The decoder of a detector's head, and its thresholds."""

from typing import Any

from ocrdeploy.decoders import (
    DBPostprocessor,
    Decoder,
    FCEPostprocessor,
    PANPostprocessor,
    PSEPostprocessor,
    TextSnakePostprocessor,
)
from ocrdeploy.dialects.section import Section
from ocrdeploy.errors import ConfigError


def read_detection_decoder(head: Section) -> Decoder:
    """Read the post-processor of a detector's head, whose other keys are left.

    Raises:
        ConfigError: The post-processor is not known, or one of its options.
    """
    section = head.section("postprocessor")
    name = section.type_name()
    decoder: Decoder
    keys: tuple[str, ...]
    match name:
        case "DBPostprocessor":
            keys = ("mask_thr", "min_text_score", "min_text_width", "unclip_ratio", "epsilon_ratio", "max_candidates")
            rules: dict[str, Any] = {"width_inclusive": True, "first_ring_alone": True}
            decoder = section.build(DBPostprocessor, (*keys, "text_repr_type"), rules)
        case "PSEPostprocessor":
            keys = ("min_kernel_confidence", "min_kernel_area", "min_text_area", "downsample_ratio", "text_repr_type")
            rules = {"min_text_avg_confidence": section.take("score_threshold", float, 0.3), "large_or_certain": True}
            decoder = section.build(PSEPostprocessor, keys, rules)
        case "PANPostprocessor":
            keys = ("min_text_confidence", "min_kernel_confidence", "min_text_area", "downsample_ratio")
            rules = {"min_text_avg_confidence": section.take("score_threshold", float, 0.3)}
            rules["max_distance"] = section.take("distance_threshold", float, 3.0)
            decoder = section.build(PANPostprocessor, (*keys, "text_repr_type"), rules)
        case "FCEPostprocessor":
            keys = ("num_reconstr_points", "scales", "alpha", "beta", "score_thr", "nms_thr", "text_repr_type")
            # The head's degree replaces that of the post-processor.
            rules = {"fourier_degree": head.peek("fourier_degree", int, 5), "hull_of_parts": True}
            section.skip("fourier_degree")
            decoder = section.build(FCEPostprocessor, keys, rules)
        case "TextSnakePostprocessor":
            keys = ("min_text_region_confidence", "min_center_region_confidence", "min_center_area", "disk_overlap_thr")
            section.expect("text_repr_type", "poly")
            # Read by the loss alone.
            head.skip("downsample_ratio")
            decoder = section.build(TextSnakePostprocessor, (*keys, "radius_shrink_ratio"))
        case other:
            raise ConfigError(f"{section.place}.type = {other!r} of MMOCR 1.x is not supported yet")
    section.expect("rescale_fields", ("polygons",))
    section.finish()
    return decoder
