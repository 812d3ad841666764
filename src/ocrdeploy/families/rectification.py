"""The rectification of words in configs."""

from ocrdeploy.dialects.section import Section
from ocrdeploy.layers.settings import STNSettings


def read_stn(section: Section) -> STNSettings:
    """Read MMOCR 1.x's STN.

    Raises:
        ConfigError: It is another preprocessor, or has options that cannot be honoured.
    """
    section.expect_type("STN")
    keys = ("in_channels", "resized_image_size", "output_image_size", "num_control_points", "margins")
    settings = section.build(STNSettings, keys)
    section.finish()
    return settings
