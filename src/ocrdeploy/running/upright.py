"""A predictor that turns images as their EXIF tag says, whatever the model's pipeline does."""

import msgspec

from ocrdeploy.predictor import Predictor
from ocrdeploy.steps import LoadImageFromFile, Step

IGNORES = "_ignore_orientation"


def turning_upright(predictor: Predictor) -> Predictor:
    """Return the predictor with a pipeline that turns images; polygons are in pixels of the image as it is shown."""
    return predictor.with_steps([_turning(step) for step in predictor.spec.preprocessing])


def _turning(step: Step) -> Step:
    if not isinstance(step, LoadImageFromFile):
        return step
    return msgspec.structs.replace(step, color_type=step.color_type.removesuffix(IGNORES))
