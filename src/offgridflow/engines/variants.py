"""Which variant a delivery is, where its header cannot tell: asked of its lines before they are mapped."""

import duckdb

from offgridflow.domain.errors import InputError
from offgridflow.engines.readers import RawSql
from offgridflow.formats.model import MoneyColumn


def choose_variant(con: duckdb.DuckDBPyConnection, raw: RawSql) -> MoneyColumn:
    """Set the variant of ``raw`` from the content of its parts, and return the column that is conserved.

    Raises InputError (MIXED_VARIANTS) where some lines can only be of the variant and others only of the plain kind:
    both exports describe the same usage, and would count it twice.
    """
    for variant in raw.mapping.variants:
        own, plain = con.execute(
            f"SELECT bool_or({variant.when}), bool_or({variant.unless}) FROM ({raw.union()}) AS raw",
        ).fetchall()[0]
        if own and plain:
            names = ", ".join(part.name for reader in raw.readers for part in reader.parts)
            sentence = f"{names}: holds both {variant.name} and actual cost of the same usage."
            raise InputError(sentence, action="Ingest one of the two exports, not both.", code="MIXED_VARIANTS")
        if own:
            raw.variant = variant.name
            return variant.money
    return raw.mapping.money
