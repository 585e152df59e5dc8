"""The dashboard and the alerts name metrics and labels that there are, and every metric stands on the dashboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Kind

DEPLOY = Path(__file__).parents[2] / "deploy"
METRIC = re.compile(r"\bheadrace_[a-z_]+")
SELECTED = re.compile(r"\b(headrace_[a-z_]+)\{([^}]*)\}")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
LEGEND = re.compile(r"\{\{(?:\s*\$labels\.)?(\w+)\s*\}\}")
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


def series() -> dict[str, set[str]]:
    """Every series that there is, with its labels."""
    found = dict[str, set[str]]()
    for metric in catalog.ALL:
        labels = set(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            found |= {metric.name + end: labels | ({"le"} if end == "_bucket" else set()) for end in OF_HISTOGRAMS}
        else:
            found[metric.name] = labels
    return found


SERIES = series()


def panels() -> Iterator[tuple[str, str, list[str]]]:
    dashboard = json.loads((DEPLOY / "grafana" / "headrace.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], LEGEND.findall(target["legendFormat"])


def alerts() -> Iterator[tuple[str, str, list[str]]]:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"], re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])


QUERIES = [*panels(), *alerts()]


@pytest.mark.parametrize(("expr", "shown"), [query[1:] for query in QUERIES], ids=[query[0] for query in QUERIES])
def test_a_query_names_what_there_is(expr: str, shown: list[str]) -> None:
    names = METRIC.findall(expr)
    assert names
    assert [name for name in names if name not in SERIES] == []
    for name, selected in SELECTED.findall(expr):
        assert set(MATCHED.findall(selected)) <= SERIES[name]
    grouped = {label.strip() for labels in GROUPED.findall(expr) for label in labels.split(",")}
    for name in names:
        assert grouped <= SERIES[name]
    assert set(shown) <= grouped, "what is shown is what is grouped by"
    assert (expr.count("("), expr.count("{")) == (expr.count(")"), expr.count("}"))


def test_every_metric_stands_on_the_dashboard() -> None:
    shown = {name for _, expr, _ in panels() for name in METRIC.findall(expr)}
    missing = [each.name for each in catalog.ALL if not any(name.startswith(each.name) for name in shown)]
    assert missing == []


def test_every_alert_says_what_to_do() -> None:
    rules: Any = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert rule["annotations"].keys() == {"summary", "do"}
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_service_of_compose_is_scraped() -> None:
    services: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    scraped: Any = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    names = {name for job in scraped for found in job["dns_sd_configs"] for name in found["names"]}
    others = {"redis", *(name for name, service in services.items() if "profiles" in service)}
    assert names == services.keys() - others
