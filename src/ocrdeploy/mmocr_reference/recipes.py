"""What an environment of each generation of MMOCR is made of."""

from dataclasses import dataclass

from ocrdeploy.dialects.outline import Dialect


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound that a package sets to another one, and that what is installed beside it exceeds.

    Attributes:
        package: Whose `__init__.py` sets it.
        text: How it is written there.
        replacement: What is written in its place.
    """

    package: str
    text: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is made of.

    Attributes:
        title: MMOCR and its version.
        mmcv: The package that is compiled.
        wheel: How the name of its wheel begins.
        requirements: The file of what comes as wheels.
        openmmlab: The file of what is installed without its dependencies, the compiled package among them.
        bound: A bound that is raised in what was installed.
    """

    title: str
    mmcv: str
    wheel: str
    requirements: str
    openmmlab: str
    bound: Bound | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The titles of the steps of a build."""
        return (
            "virtual environment",
            "PyTorch and what else comes as wheels (5 GB on disk)",
            f"{self.mmcv}: source",
            f"{self.mmcv}: compiling its operators",
            f"{self.mmcv}, mmdet, mmocr: installing",
        )


def recipe_of(generation: Dialect) -> Recipe:
    """Return the recipe of the last release of a generation of MMOCR."""
    match generation:
        case "mmocr0":
            return Recipe("MMOCR 0.6.3", "mmcv-full", "mmcv_full", "requirements.txt", "openmmlab.txt")
        case "mmocr1":
            # mmdet 3.1 would do, but takes no mmcv with which PyTorch 2 compiles.
            bound = Bound("mmocr", "mmdet_maximum_version = '3.2.0'", "mmdet_maximum_version = '3.3.0'")
            return Recipe("MMOCR 1.0.1", "mmcv", "mmcv", "requirements1.txt", "openmmlab1.txt", bound)
