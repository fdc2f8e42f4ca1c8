"""Alerts on pages: what fires now, who is told, and the runbook beside it."""

import re

import psycopg

from setpoint.observe.alerts import EVERY, EXPIRES_AT
from setpoint.observe.runbooks import runbook_of
from setpoint.serve.console.markdown import rendered

ROW = re.compile(r'<tr><th scope="row"><a href="/alerts/(\w+)">.*?</tr>')
TAG = re.compile(r'<span class="tag[^>]*>([^<]*)</span>')


def states(page):
    """Return what the list says of each rule, in its order."""
    return [(found[1], TAG.search(found[0])[1]) for found in ROW.finditer(page)]


def test_a_missing_key_is_seen_and_its_runbook_stands_beside_it(person, owner_url):
    """Nothing fires on a seeded system; without a key the warning fires first, with its value and runbook."""
    cy = person("cy")
    well = cy.read("/alerts")
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE ftf_config SET base_env = base_env - 'CVN_HPO_XGB_5M_GAMMA' WHERE id = 1")
    missing = cy.read("/alerts")
    page = cy.read("/alerts/hp_console_coverage_incomplete")
    said = dict(states(missing))

    assert {name for name, state in states(well) if state == "fires"} <= {"alerts_expired"}
    assert {name for name, _ in states(well)} == {alert.name for alert in EVERY}
    assert states(missing)[0] == ("hp_console_coverage_incomplete", "fires")
    assert said["hp_console_coverage_low"] == "silent"
    assert said["metric_absent"] == said["watchdog"] == "judged by Prometheus"
    assert said["training_slow"] == "no value"
    assert "99.7802" in page
    assert "setpoint seed --apply\n</code></pre>" in page
    assert 'id="hp_console_coverage_incomplete"' in page
    assert 'id="who-may"' in page
    assert f"@dococeven, to judge it again by {EXPIRES_AT.date()}" in page


def test_an_alert_that_nobody_declared_is_missing(person):
    """It is said where the alerts are listed."""
    page = person("cy").get("/alerts/none")

    assert page.status_code == 404
    assert "the page of alerts lists them" in page.text.lower()


def test_links_of_runbooks_stay_in_the_console(person):
    """Each link beside an alert leads to another alert, or to a heading of the page; files are named."""
    cy = person("cy")
    for name in sorted({alert.name for alert in EVERY}):
        page = cy.read(f"/alerts/{name}")
        prose = page[page.index('class="prose"') :]
        prose = prose[: prose.index("</section>")]
        for target in re.findall(r'href="([^"]*)"', prose):
            assert target.startswith(("/alerts/", "#")), (name, target)
            assert not target.startswith("#") or f'id="{target[1:]}"' in page, (name, target)
        assert "<!--" not in prose
        assert "$REVISION" in prose or "REVISION" not in runbook_of(name, _file(name))


def _file(name):
    return next(alert.runbook for alert in EVERY if alert.name == name)


def test_markup_of_a_runbook_is_text():
    """Whoever edits a runbook gives the Console no markup, picture, script or address of elsewhere."""
    text = (
        '<script>x</script> ![p](https://evil.example/p.png) [a](javascript:x) [b](https://evil.example) "q"'
    )
    page = rendered(f"## <b>\n\n{text}\n\n| a |\n|---|\n| <i> |\n", lambda _: "")

    tags = {"h3", "p", "code", "table", "thead", "tr", "th", "tbody", "td"}
    assert set(re.findall(r"<(\w+)", page)) == tags
    assert "&lt;script&gt;" in page
    assert "href" not in page
    assert "src=" not in page
