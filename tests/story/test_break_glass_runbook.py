"""Every command of the break-glass runbook, typed in its scenarios: it shows the damage, and ends it."""

from setpoint.observe.runbooks import sections_of
from support.runbook_steps import typed_in

FILE = "break-glass-hyperparams.md"
GAMMA = "CVN_HPO_XGB_5M_GAMMA"
CHANNEL = "https://chat.example/incidents/"
#: The sections that tests below type, by the first words of their headings.
BEFORE, CORRUPTED, TYPO, DAMAGED, AFTERWARDS = SECTIONS = (
    "Before you write anything", "Scenario A", "Scenario C", "Scenario D", "Afterwards",
)  # fmt: skip


def typed(section):
    """Return what a section lets somebody type."""
    (found,) = [one for one in sections_of(FILE) if one.heading.startswith(section)]
    return [*typed_in(found.text)]


def remove(incident):
    incident.by_sql("UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", GAMMA)


def test_a_corrupted_document(incident):
    """A: it is seen who removed a key, and it comes back; what is owed is breached, then met."""
    good = incident.revision()
    remove(incident)
    incident.read = {
        "GOOD": good, "BAD": incident.revision(), "INCIDENT": "INC-42", "CHANNEL": CHANNEL,
        "APPROVAL": f"{CHANNEL}p17", "POST_MORTEM": "https://wiki.example/INC-42",
    }  # fmt: skip
    incident.type(typed(BEFORE))
    restored, one_value, worked = typed(CORRUPTED)
    told = incident.type([restored])
    remove(incident)
    told += incident.type([one_value, worked])
    assert incident.command("set", f"{GAMMA}=0.3", "-r", "in a hurry", "--yes").code == 0
    breached = incident.command("break-glass", "status")
    incident.type(typed(AFTERWARDS))

    assert "unattributed" in told
    assert f"- {GAMMA}" in told
    assert "whole" in told
    assert (breached.code, "in a hurry" in breached.out) == (1, True)
    assert "# Post-mortem" in (incident.folder / "post-mortem.md").read_text(encoding="utf-8")
    owed = incident.command("break-glass", "status", "--json").json
    assert {row["met_at"] is None for row in owed} == {False}
    assert incident.command("get", "xgb/5m/gamma").out == "0.0\n"


def test_a_typo(incident):
    """C: no glass is broken; the ordinary restore proves that the value is the one of before."""
    incident.read = {"GOOD": incident.revision()}
    assert incident.command("set", f"{GAMMA}=4.5", "-r", "a typo", "--yes").code == 0
    told = incident.type(typed(TYPO))

    assert "a typo" in told
    assert "byte for byte" in told
    assert incident.command("get", "xgb/5m/gamma").out == "0.0\n"
    assert incident.command("break-glass", "status").out == "nothing is owed\n"


def test_a_damaged_history(incident):
    """D: the walk names what was altered; the backup of before brings it all back, and an admin in."""
    incident.use_an_embedded_server()
    for done in (
        incident.command("seed", "--apply"),
        incident.command("accounts", "add", "dan", "--role", "admin"),
        incident.command("anchor", "--out", "anchors/setpoint-anchor.json"),
        incident.command("db", "backup", "--out", "nightly.backup"),
        incident.command(
            "db", "psql", "--owner", "--", "-qc",
            "ALTER TABLE ftf_config_history DISABLE TRIGGER USER;"
            "UPDATE ftf_config_history SET change_reason = 'x' WHERE id = 1",
        ),
    ):  # fmt: skip
        assert done.code == 0, done.err
    told = incident.type(typed(DAMAGED))

    assert "revision 1" in told
    assert incident.command("verify").code == 0
    assert (incident.folder / "damaged.backup").exists()


def test_every_block_of_the_page_is_typed():
    """A section with commands that no test types is named; statements for psql have a test of their own."""
    shown = {
        section.heading
        for section in sections_of(FILE)
        if any(not block.left_out for block in typed_in(section.text))
    }
    assert [one for one in shown if not one.startswith(SECTIONS)] == []
    assert [one for one in SECTIONS if not typed(one)] == []
