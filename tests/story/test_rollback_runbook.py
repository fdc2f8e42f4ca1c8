"""Every command of the rollback runbook, typed in an incident: it is offered, taken, proven, written up."""

from setpoint.observe.runbooks import sections_of
from support.runbook_steps import typed_in

FILE = "rollback.md"
CORRUPT = (
    "UPDATE ftf_config SET base_env = (SELECT jsonb_object_agg(k, 'x'::text)"
    " FROM jsonb_object_keys(base_env) AS k) WHERE id = 1"
)


def test_an_incident_is_ended_as_the_page_says(incident):
    """The restore is offered with its revision, its proof ends the clock, and the paper has all of it."""
    good = incident.revision()
    incident.by_sql(CORRUPT)
    incident.read = {"GOOD": good, "INCIDENT": "INC-42"}
    blocks = [block for section in sections_of(FILE) for block in typed_in(section.text)]
    wrong = incident.command("rollback", "--incident", "INC-42", "--take", "prayer", "--reason", "why")
    assert (wrong.code, "image_pin, restore, break_glass, revert" in wrong.err) == (3, True)
    told = incident.type([block for block in blocks if not block.left_out])

    assert "image_pin: rehearse it: `setpoint drill image-pin --last-good PATH`" in told
    assert f"setpoint restore {good} --reason 'incident INC-42' --yes" in told
    assert "restore (none: the document says n/a) applies: the ordinary way is open" in told
    assert "byte for byte" in told
    assert "proven after" in told
    paper = (incident.folder / "post-mortem.md").read_text(encoding="utf-8")
    assert "| restore | " in paper
    assert "the learning rate is wrong" in paper
    assert incident.command("get", "xgb/5m/gamma").out == "0.0\n"


def test_the_page_names_every_mechanism_with_its_rehearsal(incident):
    """What is declared once is what the page's table says."""
    found = incident.command("rollback", "--json").json
    page = "".join(section.text for section in sections_of(FILE))

    for one in found:
        assert f"| `{one['mechanism']}` | {one['fits']} |" in page
        assert f"`{one['rehearsal']}` |" in page
