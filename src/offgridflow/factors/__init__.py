"""Factor sets: data files with provenance, and their loader."""

from offgridflow.factors.catalogue import Catalogue, load
from offgridflow.factors.overlay import UserGridRow, read_user_grid
from offgridflow.factors.tables import DEFAULT_SET, FactorSetError

__all__ = ["DEFAULT_SET", "Catalogue", "FactorSetError", "UserGridRow", "load", "read_user_grid"]
