"""Laws of what is shipped for operators: it names things that exist."""

import json
import re
from pathlib import Path

from offgridflow.cloud.telemetry import INSTRUMENTS, Kind

ROOT = Path(__file__).parents[2]
SUFFIXES = {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.HISTOGRAM: "_bucket"}


def test_the_dashboard_asks_for_metrics_that_are_served() -> None:
    """Every metric of the Grafana dashboard is one of ours under its Prometheus name, and so are its labels."""
    panels = json.loads((ROOT / "deploy" / "grafana" / "worker.json").read_text())["panels"]
    served = {name.replace(".", "_") + SUFFIXES[what.kind]: what for name, what in INSTRUMENTS.items()}
    for panel in panels:
        expression = panel["targets"][0]["expr"]
        (metric,) = re.findall(r"offgridflow_\w+", expression)
        labels = re.findall(r"\{\{(\w+)\}\}", panel["targets"][0]["legendFormat"])
        assert set(labels) <= {attribute.value for attribute in served[metric].attributes}, panel["title"]
    assert len(panels) == 6


def test_the_units_run_commands_that_exist() -> None:
    """The worker units start the worker, the cron job starts one run."""
    unit = (ROOT / "deploy" / "systemd" / "offgridflow.service").read_text()
    assert "offgridflow run --schedule\n" in unit
    assert "args: [run, --schedule]" in (ROOT / "deploy" / "kubernetes" / "worker.yaml").read_text()
    assert "args: [run, --format, json]" in (ROOT / "deploy" / "kubernetes" / "cronjob.yaml").read_text()
