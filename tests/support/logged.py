"""What our log says while something is done, line by line as it is written."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offgridflow.cloud.logs import LOGGER_NAME, JsonFormatter


@contextmanager
def logged(level: int = logging.WARNING) -> Iterator[list[dict[str, Any]]]:
    """Give a list that holds, once the context has ended, the lines of the log from a level on."""
    lines: list[dict[str, Any]] = []
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    handler.setLevel(level)
    logger = logging.getLogger(LOGGER_NAME)
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        lines.extend(json.loads(line) for line in stream.getvalue().splitlines())
