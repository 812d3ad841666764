"""The families of networks that this package has itself: one folder each, one line here."""

from typing import Any

from ocrdeploy.dialects.outline import Dialect

from .abinet.config import FAMILY as ABINET
from .aster.config import FAMILY as ASTER
from .crnn.config import FAMILY as CRNN
from .dbnet.config import FAMILY as DBNET
from .family import Family
from .fcenet.config import FAMILY as FCENET
from .master.config import FAMILY as MASTER
from .nrtr.config import FAMILY as NRTR
from .panet.config import FAMILY as PANET
from .psenet.config import FAMILY as PSENET
from .robustscanner.config import FAMILY as ROBUSTSCANNER
from .sar.config import FAMILY as SAR
from .satrn.config import FAMILY as SATRN
from .svtr.config import FAMILY as SVTR
from .textsnake.config import FAMILY as TEXTSNAKE

__all__ = ["FAMILIES", "Family", "family_of", "known_names"]

FAMILIES: tuple[Family[Any], ...] = (
    DBNET,
    PSENET,
    PANET,
    FCENET,
    TEXTSNAKE,
    CRNN,
    SVTR,
    ABINET,
    NRTR,
    SATRN,
    MASTER,
    ROBUSTSCANNER,
    SAR,
    ASTER,
)


def family_of(name: str, dialect: Dialect = "mmocr0") -> Family[Any] | None:
    """Return the family that configs of a dialect call so; None where there is none."""
    return next((family for family in FAMILIES if family.names.get(dialect) == name), None)


def known_names(dialect: Dialect = "mmocr0") -> tuple[str, ...]:
    """Return what configs of a dialect call the families."""
    return tuple(family.names[dialect] for family in FAMILIES if dialect in family.names)
