"""The pictures that `predict` writes of each image."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .output import Output
from .output_names import crop_path, picture_path

if TYPE_CHECKING:
    from ocrdeploy.images.cropping import Pixels
    from ocrdeploy.predictor import Predictor
    from ocrdeploy.results import Detection, Result


@dataclass(frozen=True)
class Pictures:
    """The pictures that are written of each image.

    Attributes:
        predictor: The model, which knows how images are read.
        draw: Folder of images with their results on them.
        crop: Folder of the words that were found.
        show: File of the first image with its result on it.
        output: Where it is said what was written.
        images: What is read, resolved, which is not removed.
    """

    predictor: "Predictor"
    draw: Path | None
    crop: Path | None
    show: Path | None
    output: Output
    images: frozenset[Path]

    def write(self, path: Path, name: str, result: "Result", *, is_first: bool) -> None:
        """Write what was asked for of one image.

        Raises:
            OutputError: A file cannot be written.
        """
        from ocrdeploy.images.drawing import draw_result, write_png

        from .showing import color_pixels

        targets = [picture_path(self.draw, name)] if self.draw is not None else []
        if self.show is not None and is_first:
            targets.append(self.show)
        if not targets and self.crop is None:
            return
        pixels = color_pixels(path, self.predictor)
        for target in targets:
            write_png(target, draw_result(pixels, result))
            self.output.line(f"  drawn: {target}")
        if self.crop is not None and isinstance(result, list):
            self._write_words(self.crop, name, pixels, result)

    def _write_words(self, folder: Path, name: str, pixels: "Pixels", result: "list[Detection]") -> None:
        """Write the words that were found in an image, in the order of its result."""
        from ocrdeploy.artifacts import atomic_write
        from ocrdeploy.images.cropping import crop_word
        from ocrdeploy.images.drawing import encode_image
        from ocrdeploy.images.own_pictures import mark_word

        for index, item in enumerate(result):
            data = mark_word(encode_image(crop_word(pixels, item.polygon), lossless=True))
            with atomic_write(crop_path(folder, name, index)) as temporary:
                temporary.write_bytes(data)
        if result:
            self.output.line(
                f"  cut out: {crop_path(folder, name, 0)}" + (f" and {len(result) - 1} more" if len(result) > 1 else "")
            )
        if removed := self._remove_words(folder, name, len(result)):
            self.output.line(
                f"  removed: {removed} words of an earlier run, from {crop_path(folder, name, len(result))}"
            )

    def _remove_words(self, folder: Path, name: str, index: int) -> int:
        """Remove the words from a number on that an earlier run cut out of an image of this name; return how many."""
        from ocrdeploy.errors import OutputError
        from ocrdeploy.images.own_pictures import is_word

        removed = 0
        while is_word(path := crop_path(folder, name, index + removed)) and path.resolve() not in self.images:
            try:
                path.unlink()
            except OSError as error:
                raise OutputError(f"{path}, a word of an earlier run, cannot be removed: {error.strerror}") from error
            removed += 1
        return removed
