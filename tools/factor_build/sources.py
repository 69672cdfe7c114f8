"""Where the numbers come from: one row per source, with its licence and what must be said about it."""

from tools.factor_build.tables import Row, own

COLUMNS = ("source_id", "name", "source_ref", "licence", "vintage", "attribution")


def rows() -> list[Row]:
    """Return the table of sources."""
    return [dict(row) for row in own("sources")]


def notice() -> str:
    """Return the text that must travel with the data."""
    lines = [
        "Factor set offgridflow-2026.11",
        "",
        "The files in this folder were compiled by OffGridFlow from the sources in sources.csv. The compilation is",
        "Apache-2.0; the parts keep the licences named there. Changes that were made to them are in corrections.csv.",
        "",
        "ai_models.csv holds names of models from EcoLogits and values computed with it. That file, and only that",
        "file, is covered by the Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/).",
        "",
        "Attributions:",
        *(f"- {row['attribution']} ({row['licence']}; {row['source_ref']})" for row in rows() if row["attribution"]),
        "",
    ]
    return "\n".join(lines)
