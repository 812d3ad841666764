"""mmdet's feature pyramid in configs."""

from ocrdeploy.dialects.section import Section
from ocrdeploy.layers.settings import FPNSettings


def read_fpn(section: Section) -> FPNSettings:
    """Read mmdet's FPN, which has no levels beyond the backbone's and so no use for what says how they are made."""
    section.expect_type("FPN")
    section.expect("start_level", 0)
    section.expect("end_level", -1)
    for key in ("conv_cfg", "norm_cfg", "act_cfg"):
        section.expect(key, None)
    section.expect("upsample_cfg", {"mode": "nearest"})
    section.skip("add_extra_convs", "relu_before_extra_convs", "no_norm_on_lateral")
    settings = section.build(FPNSettings, ("in_channels", "out_channels", "num_outs"))
    section.finish()
    return settings
