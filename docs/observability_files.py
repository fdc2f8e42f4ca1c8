"""Write deploy/observability/ from the declared alerts: rules for Prometheus and Loki, and routes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from setpoint.observe.alerts import ALERTS, CHANNELS, DEAD_MANS_SWITCH, EVERY, INHIBITIONS, Alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOTICE = "# Written by docs/generate.py from src/setpoint/observe/alerts.py. Do not edit it here."
#: Where receivers' secrets lie; a file each, readable by the Alertmanager alone.
SECRETS = "/etc/setpoint/alertmanager"
#: Where people open the Console: an external label of Prometheus, which each plane's own file says.
CONSOLE = "{{ $externalLabels.console }}"
_RUNBOOK = "{{ .CommonAnnotations.runbook_url }}"
_INTERVAL = "1m"


def yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Yield a document's lines: blocks of lists and mappings, each scalar as JSON, which is YAML."""
    pairs = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for name, item in pairs:
        head = f"{indent}-" if name == "-" else f"{indent}{name}:"
        if isinstance(item, (dict, list)) and item:
            below = list(yaml(item, indent + "  "))
            if name == "-":
                yield f"{head} {below[0].lstrip()}"
                yield from below[1:]
            else:
                yield head
                yield from below
        else:
            yield f"{head} {json.dumps(item, ensure_ascii=False)}"


def _rule(alert: Alert, expression: str) -> dict[str, Any]:
    lasting = {"for": alert.lasting} if alert.lasting else {}
    return {
        "alert": alert.name,
        "expr": expression,
        **lasting,
        "labels": {"severity": alert.severity, "owner": alert.owner},
        "annotations": {
            "summary": alert.summary,
            "runbook": alert.page,
            "runbook_url": CONSOLE + alert.address,
            "first": alert.first,
            "source": alert.source,
            "channel": alert.channel,
            "expires": alert.expires_at.date().isoformat(),
        },
    }


def prometheus_rules() -> dict[str, Any]:
    """Return the rules of Prometheus, the one that nobody needs to act on among them."""
    rules = [_rule(alert, alert.expression) for alert in EVERY]
    return {"groups": [{"name": "setpoint", "interval": _INTERVAL, "rules": rules}]}


def loki_rules() -> dict[str, Any]:
    """Return what Loki can evaluate of them, over the lines of events."""
    rules = [_rule(alert, alert.loki) for alert in ALERTS if alert.loki]
    return {"groups": [{"name": "setpoint-events", "interval": _INTERVAL, "rules": rules}]}


def alertmanager() -> dict[str, Any]:
    """Return routes, inhibitions and receivers of an Alertmanager; every secret is in a file."""
    routes = [
        {
            "receiver": DEAD_MANS_SWITCH.channel,
            "matchers": [f'alertname="{DEAD_MANS_SWITCH.name}"'],
            "repeat_interval": "1m",
        }
    ]
    routes += [
        {"receiver": receiver, "matchers": [f'severity="{severity}"'], "group_by": ["alertname", "severity"]}
        for severity, receiver in CHANNELS.items()
    ]
    return {
        "route": {
            "receiver": "slack-ops-cvn",
            "group_by": ["alertname", "severity"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": routes,
        },
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{source}"', 'severity!="WARN"'],
                "target_matchers": [f'alertname=~"{"|".join(targets)}"'],
            }
            for source, targets in INHIBITIONS
        ],
        "receivers": [
            {
                "name": "pagerduty",
                "pagerduty_configs": [
                    {
                        "routing_key_file": f"{SECRETS}/pagerduty-key",
                        "description": "{{ .CommonLabels.alertname }}: {{ .CommonAnnotations.summary }}",
                        "details": {"runbook": "{{ .CommonAnnotations.runbook }}"},
                        "links": [{"href": _RUNBOOK, "text": "the alert and its runbook"}],
                        "send_resolved": True,
                    }
                ],
            },
            {
                "name": "slack-ops-cvn",
                "slack_configs": [
                    {
                        "api_url_file": f"{SECRETS}/slack-url",
                        "channel": "#ops-cvn",
                        "title": "{{ .CommonLabels.severity }} {{ .CommonLabels.alertname }}",
                        "text": "{{ .CommonAnnotations.summary }}\n{{ .CommonAnnotations.runbook }}",
                        "title_link": _RUNBOOK,
                        "send_resolved": True,
                    }
                ],
            },
            {
                "name": DEAD_MANS_SWITCH.channel,
                "webhook_configs": [
                    {
                        "url": "http://127.0.0.1:9466/alive",
                        "send_resolved": False,
                        "http_config": {"authorization": {"credentials_file": f"{SECRETS}/switch-token"}},
                    }
                ],
            },
        ],
    }


#: Each file below deploy/observability/, with what its first lines say beside the notice.
FILES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "prometheus/rules.yml": (prometheus_rules, "Loaded by prometheus.yml beside it."),
    "loki/rules.yml": (
        loki_rules,
        "The alternative where there is no Prometheus: load one of the two, or people are told twice.",
    ),
    "alertmanager/alertmanager.yml": (
        alertmanager,
        "Secrets are read from files; the webhook's address is where a dead man's switch listens.",
    ),
}


def written(name: str) -> str:
    """Return the text of one file."""
    made, said = FILES[name]
    return "\n".join((NOTICE, f"# {said}", *yaml(made()))) + "\n"
