"""What to change in SKUs: a region, a family of machines, a storage class."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from offgridflow.domain.model import Sku

Change = Callable[[Sku], Sku]


@dataclass(frozen=True, slots=True)
class Swap:
    """What to change in every SKU that it fits; None leaves as it is. Each pair is (old, new).

    ``region`` compares region ids, and an old region of ``*`` fits every SKU. ``family`` is an instance type without
    its size, as its cloud calls it (``m5`` to ``m7g``, ``Dsv5`` to ``Easv5``, ``n2`` to ``n2d``); ``storage`` is a
    storage class or the part of a meter that names it.
    """

    region: tuple[str, str] | None = None
    family: tuple[str, str] | None = None
    storage: tuple[str, str] | None = None

    def __call__(self, sku: Sku) -> Sku:
        """Return the SKU with the changes. Names that the change makes untrue (id, description) are taken off."""
        changed = sku
        if self.region is not None and self.region[0] in {"*", sku.region_id}:
            changed = replace(changed, region_id=self.region[1])
        if self.family is not None:
            changed = _of_family(changed, *self.family)
        if self.storage is not None:
            changed = _renamed(changed, "storage_class", *self.storage, ends=("",))
        return changed if changed == sku else replace(changed, sku_id=None, description=None)


def _of_family(sku: Sku, old: str, new: str) -> Sku:
    """Return the SKU on machines of another family with as many vCPUs, or as it is where it is not of the old one."""
    known = sku.attributes.instance_type
    if sku.provider == "azure" and known is not None:
        found, other = _AZURE_TYPE.fullmatch(known), _AZURE_SERIES.fullmatch(new)
        if found is None or other is None or found["series"] + found["more"] + found["version"] != old:
            return sku
        machine = (
            f"Standard_{other['series']}{found['vcpus']}{other['more']}{other['version'] and '_' + other['version']}"
        )
        return replace(sku, attributes=replace(sku.attributes, instance_type=machine))
    if sku.provider == "gcp" and known is None:
        meter = re.sub(rf"\b{re.escape(old)}(?= .*\bInstance\b)", new.upper(), sku.sku_meter or "", flags=re.IGNORECASE)
        return replace(sku, sku_meter=meter or None)
    return _renamed(sku, "instance_type", old, new, ends=(".", "-", "_"))


_AZURE_SERIES: Final = re.compile(r"(?P<series>[A-Z]+)(?P<more>[a-z]*)(?P<version>v\d+|)")
_AZURE_TYPE: Final = re.compile(r"Standard_(?P<series>[A-Z]+)(?P<vcpus>\d+)(?P<more>[a-z]*)_?(?P<version>v\d+|)")


def _renamed(sku: Sku, attribute: str, old: str, new: str, ends: Sequence[str]) -> Sku:
    """Replace ``old`` before one of ``ends`` in the attribute, or where it is unknown in the meter."""
    known = getattr(sku.attributes, attribute)
    for end in ends:
        meter = (sku.sku_meter or "").replace(old + end, new + end) or None
        if known is not None and (known == old or known.startswith(old + end)):
            attributes = replace(sku.attributes, **{attribute: new + known[len(old) :]})
            return replace(sku, attributes=attributes, sku_meter=meter)
        if known is None and meter != sku.sku_meter:
            return replace(sku, sku_meter=meter)
    return sku


def unchanged(sku: Sku) -> Sku:
    """Return the SKU as it is: to rate the same SKUs with another card."""
    return sku
