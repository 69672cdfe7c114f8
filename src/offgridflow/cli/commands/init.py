"""``offgridflow init``: a commented settings file to start from."""

from importlib.resources import files
from pathlib import Path

import typer

from offgridflow.domain.errors import UsageError

ORDER = 100
SETTINGS_FILE = "offgridflow.toml"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init() -> None:
    """Write offgridflow.toml with every setting and a comment. An existing file is left as it is."""
    path = Path(SETTINGS_FILE)
    template = (files("offgridflow") / "settings.template.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template)
    except FileExistsError as error:
        sentence = f"{path} is there already."
        raise UsageError(sentence, action="Edit it, or move it away first.") from error
    typer.echo(f"Wrote {path}. Fill in a source, then run: offgridflow check")
