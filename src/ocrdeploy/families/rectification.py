"""The rectification of words in configs."""

from ocrdeploy.dialects.section import Section
from ocrdeploy.layers.settings import STNSettings, TPSSettings


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


def read_tps(section: Section) -> TPSSettings:
    """Read MMOCR 0.x's TPSPreprocessor.

    Raises:
        ConfigError: It is another preprocessor, or has options that cannot be honoured.
    """
    section.expect_type("TPSPreprocessor")
    # MMOCR keeps the size of the images that it is to get, and never looks at it.
    section.skip("img_size")
    settings = section.build(TPSSettings, ("num_fiducial", "rectified_img_size", "num_img_channel"))
    section.finish()
    return settings
