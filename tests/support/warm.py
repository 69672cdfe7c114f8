"""What the server of processes has imported and read before it makes any: slow once, the same for all, no thread."""

import importlib
import pkgutil

from offgridflow import connectors, pipeline
from offgridflow.domain.model import Sku
from offgridflow.domain.periods import Month
from support.crew import LATE, kitchen

for package in (connectors, pipeline):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
for name in LATE:
    importlib.import_module(name)
for provider in ("aws", "azure", "gcp"):
    kitchen().rate_of(Sku(provider, "a", "b", "c", "d", "e", "Hours", "us-east-1"), Month(2025, 5))
