"""The form of readiness files: what is read, and what each rule refuses by name and line."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from setpoint.errors import InvalidDocument
from setpoint.govern.readiness.case import PHASES, Case, phase_of
from setpoint.govern.readiness.evidence import Proof
from setpoint.govern.readiness.fresh_form import fresh_form
from setpoint.govern.readiness.names import named
from setpoint.govern.readiness.parsing import parse, read_file
from setpoint.govern.readiness.rules import RULES, judge
from setpoint.govern.readiness.sunset import judge_sunset
from support.readiness_files import AT, DOCUMENT, GOOD, REVIEWED, ROOT, system

PLAN = GOOD.splitlines()[7]
SHADOW = next(line for line in GOOD.splitlines() if "Shadow stage" in line)
#: For each rule a change of the good file that it alone refuses, and the phase in which it does.
BROKEN = {
    "story": ("**Story** : S17 —", "**About** :", "opening"),
    "owner": ("**Owner** : @ada", "**Owner** : the team", "opening"),
    "filled-on": ("**Filled on** : 2026-05-10", "**Filled on** : 2027-05-10", "opening"),
    "plan-review": (PLAN, "- none yet", "opening"),
    "plan-review-told": ("5 experts, ", "", "opening"),
    "references": ("`OP wp#153`", "`OP wp#NNN`", "opening"),
    "sections": ("4. Staged rollout (MUST)", "4. Staged rollout", "opening"),
    "skips": ("Sunset milestone : the Epic ships", "Sunset milestone : SKIP", "opening"),
    "metrics-told": ("< 100 / < 95", "", "opening"),
    "prediction-metric": ("✅ prediction-rate", "prediction-rate", "opening"),
    "outcome-metric": ("✅ outcome metric", "[ ] outcome metric", "opening"),
    "health-metric": ("✅ health metric", "✅ other metric", "opening"),
    "alerts-told": ("| P1 | pager |", "| P1 | |", "opening"),
    "p1-alert": ("| P1 | pager |", "| P2 | pager |", "opening"),
    "p1-is-live": ("harness.hp_coverage_pct < 95 |", "not_yet > 0 |", "opening"),
    "runbook": ("✅ Runbook :", "Runbook :", "opening"),
    "drift": ("`setpoint gate src` | any | CI fails |", "`setpoint gate src` | any | |", "opening"),
    "shadow": (SHADOW, "- Shadow stage : later", "opening"),
    "canary": ("✅ Canary on a single batch", "Canary on a single batch", "opening"),
    "canary-assets": ("✅ Named canary", "Named canary", "opening"),
    "canary-names": ("assets : BTCUSDC", "assets : some", "opening"),
    "operator": ("✅ Operator sign-off", "Operator sign-off", "opening"),
    "revert": ("✅ Revertable", "Revertable", "opening"),
    "revert-tested": ("✅ Tested revert", "Tested revert", "opening"),
    "revert-proof": ("`setpoint drill C`", "it works", "opening"),
    "revert-value": ("✅ Specific config", "Specific config", "opening"),
    "exact-value": ("cvntradeImageTag=0b0a9c7f", "cvntradeImageTag=<last good SHA>", "merge"),
    "dri": ("- DRI : @ada", "- DRI : the team", "opening"),
    "backup-dri": ("- Backup DRI : @ada", "- Backup DRI :", "opening"),
    "decision-authority": ("- Decision authority : @ada", "- Decision authority : whoever", "opening"),
    "sunset-milestone": ("Sunset milestone", "Sundown", "opening"),
    "nine-items": ("- [x] §3 drift : defined\n", "", "opening"),
    "live-is-proven": None,
    "dependencies": None,
    "evidence": None,
    "nothing-tbd": ("#140 for PR review", "#140 for PR review, TBD", "merge"),
    "ticked": ("- [x] §6", "- [ ] §6", "merge"),
    "pr-review": (f"PASSED on {REVIEWED}", "PASSED on 2026-05-09", "merge"),
    "sessions-linked": ("#140 for PR review", "and the other", "merge"),
    "dri-expired": None,
}


def findings(text, phase, at=None, proofs=()):
    """Return what is found in a text."""
    return judge(Case(parse(text, "file.md"), phase, at or AT[phase], proofs))


def test_every_rule_holds_for_a_good_file_in_each_phase():
    """A file of which everything is filled in breaks no rule of its form, and its phase is what it says."""
    for phase in PHASES:
        assert findings(GOOD, phase) == []
    form = parse(GOOD, "file.md")
    assert [phase_of(form, AT[phase]) for phase in ("merge", "after")] == ["merge", "after"]
    begun = GOOD.replace(", opened 2026-05-10", "").replace(", session `628a49ba`", "")
    assert phase_of(parse(begun, "file.md"), AT["opening"]) == "opening"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_refuses_what_breaks_it(rule):
    """A rule without a broken file here fails; each names the line, what is wrong and the next step."""
    breaking = BROKEN[rule.name]
    if breaking is None:
        return  # of evidence and of time: broken below and in test_readiness_evidence
    old, new, phase = breaking
    assert old in GOOD
    found = findings(GOOD.replace(old, new), phase)
    assert rule.name in {one.rule for one in found}
    for one in found:
        assert 1 <= one.line <= GOOD.count("\n")
        assert one.message
        assert one.next_step


def test_what_the_merge_gate_demands_is_not_owed_before_it():
    """A placeholder, an unticked box and TBD are allowed while the pull request is not at its gate."""
    for name, breaking in BROKEN.items():
        if breaking and breaking[2] == "merge":
            text = GOOD.replace(*breaking[:2])
            assert name not in {one.rule for one in findings(text, "opening")}
            assert name in {one.rule for one in findings(text, "after")}


def test_an_exceptional_file_back_fills_its_references_before_the_merge_gate():
    """Marked exceptional, it may open without OP wp# and Closes #, and may not merge without them."""
    text = GOOD.replace("`OP wp#153`, `Closes #905`", "exceptionally tracked afterwards")
    assert findings(text, "opening") == []
    late = findings(text, "merge")
    assert [one.rule for one in late] == ["references", "references"]
    assert "back-filled" in late[0].message


def test_no_committee_is_said_with_a_reason_and_only_before_the_pull_request_opens():
    """A SKIP with its reason stands for the plan's review at first, and never at the merge gate."""
    text = GOOD.replace(PLAN, "").replace(
        "**Reviewed by committee** :", "**Reviewed by committee** : SKIP — JUSTIFICATION : none has sat"
    )
    assert findings(text, "opening") == []
    assert [one.rule for one in findings(text, "merge")] == ["plan-review"]
    bare = text.replace("SKIP — JUSTIFICATION : none has sat", "SKIP")
    assert {one.rule for one in findings(bare, "opening")} == {"plan-review", "skips"}


def test_the_dri_answers_for_ninety_days_from_the_merge():
    """One second before the ninety days end the file holds; from that instant on it is stale."""
    assert findings(GOOD, "after", datetime(2026, 8, 9, 23, 59, 59, tzinfo=UTC)) == []
    (stale,) = findings(GOOD, "after", datetime(2026, 8, 10, tzinfo=UTC))
    assert stale.rule == "dri-expired"
    assert "2026-08-10T00:00:00Z" in stale.message
    lost = GOOD.replace("merge SHA", "the merge")
    assert [one.rule for one in findings(lost, "after")] == ["dri-expired"]


def test_a_name_that_is_not_proven_fails_under_its_rule():
    """What the file calls LIVE, its dependencies, and any other name fail by name; a planned one does not."""
    proofs = [
        Proof(kind, name, 9, is_planned, "missing", None, "look", "it is gone")
        for kind, name, is_planned in (
            ("event", "training_complete", False),
            ("dependency", "deptry", False),
            ("alert", "hp_console_coverage_low", False),
            ("metric", "harness.not_yet", True),
        )
    ]
    found = findings(GOOD, "opening", proofs=tuple(proofs))
    assert [(one.rule, one.message.split(" is ")[0]) for one in found] == [
        ("live-is-proven", "the event training_complete"),
        ("dependencies", "the dependency deptry"),
        ("evidence", "the alert hp_console_coverage_low"),
    ]


def test_the_readiness_document_itself_is_read_and_judged():
    """The copy of a rendered page is whole: sections, rows, nine items; and its gaps are named, no more."""
    form = read_file(DOCUMENT)
    assert [one.mark for one in form.sections] == ["1", "2", "3", "4", "5", "6", "6.bis", "sign-off"]
    assert [one.status for one in form.metrics] == ["LIVE", "LIVE", "LIVE", "PLANNED", "PLANNED"]
    assert [(one.name, one.severity) for one in form.alerts] == [
        ("hp_fallback_rate_high", "P2"),
        ("hp_console_coverage_low", "P1"),
        ("hp_fallback_persistent", "P3"),
    ]
    assert [one.is_planned for one in form.mechanisms] == [False, False, True, False]
    assert len(form.sign_off) == 9
    (plan, request) = form.reviews
    assert (plan.session, plan.verdict, plan.consensus, plan.experts, plan.recommendations) == (
        "ea2e71ff", "PASSED", "strong", 5, 6,
    )  # fmt: skip
    assert (request.verdict, request.session) == ("PASSED", "")
    assert (form.header.merge, form.header.pull_request) == ("0b0a9c7f", 904)

    at = datetime(2026, 5, 11, tzinfo=UTC)
    assert [(one.line, one.rule) for one in judge(Case(form, "opening", at))] == [(41, "p1-is-live")]
    assert [(one.line, one.rule) for one in judge(Case(form, "merge", at))] == [
        (1, "references"),
        (1, "references"),
        (41, "p1-is-live"),
        (97, "exact-value"),
        (143, "pr-review"),
        (144, "nothing-tbd"),
        (144, "sessions-linked"),
    ]
    stale = judge(Case(form, "after", datetime(2026, 8, 10, tzinfo=UTC)))
    assert (100, "dri-expired") in [(one.line, one.rule) for one in stale]


def test_our_own_file_says_what_people_still_owe():
    """What is generated holds before its request opens; review, session and issue are owed, not invented."""
    form = read_file(ROOT / "docs/readiness/setpoint.md")
    at = datetime(2026, 12, 1, tzinfo=UTC)
    assert phase_of(form, at) == "opening"
    assert judge(Case(form, "opening", at)) == []
    owed = {one.rule for one in judge(Case(form, "merge", at))}
    assert owed == {"plan-review", "references", "exact-value", "ticked", "pr-review", "sessions-linked"}


def test_a_fresh_form_is_read_and_says_what_is_to_be_filled_in():
    """What `new` writes has every section and item; its check names what is left open."""
    text = fresh_form("S18", "@ada", AT["opening"].date())
    rules = {one.rule for one in findings(text, "merge")}
    assert not rules & {"story", "owner", "filled-on", "sections", "nine-items", "dri", "p1-alert"}
    assert {"references", "plan-review", "outcome-metric", "pr-review", "ticked", "nothing-tbd"} <= rules


@pytest.mark.parametrize("text", ["", "no title\n", "# A title\n\nand no section\n"])
def test_what_is_no_readiness_file_is_refused_with_a_line_and_a_next_step(text):
    """A text without a title or without sections is refused, and told how to begin."""
    with pytest.raises(InvalidDocument, match=r"file.md, line \d") as caught:
        parse(text, "file.md")
    assert "setpoint readiness new" in str(caught.value.hint)


@pytest.mark.parametrize("text", [GOOD, DOCUMENT.read_text(encoding="utf-8")], ids=["good", "document"])
def test_a_damaged_file_is_judged_or_refused(text):
    """Lines that are lost, doubled or cut short end in findings or a refusal, never in a fault."""
    lines = text.splitlines()
    for n, line in list(enumerate(lines))[::7]:
        for damaged in ([], [line, line], [line[: len(line) // 2]], ["| a |", line]):
            told = "\n".join([*lines[:n], *damaged, *lines[n + 1 :]])
            with suppress(InvalidDocument):
                findings(told, "after")
    odd = text.replace("wp#153", "wp#0153").replace("2026-05-12T00:00:00Z", "9999-12-31T23:59:59-14:00")
    assert findings(odd, "after")


def test_a_word_that_fills_a_file_is_read_to_its_end(tmp_path):
    """A file as long as one may be, of one word, is judged as any other; a longer one is refused."""
    file, most = tmp_path / "file.md", 100_000
    for word in ("a", "a-", "a/", "test_", "1", "runbooks/"):
        told = GOOD.replace("Everybody is content", word * ((most - len(GOOD.encode())) // len(word)))
        file.write_text(told, encoding="utf-8")
        form = read_file(file)
        assert named(form) == named(parse(GOOD, "file.md"))
        assert judge(Case(form, "after", AT["after"])) == []
    file.write_text(GOOD + "a" * most, encoding="utf-8")
    with pytest.raises(InvalidDocument, match="over 100000 bytes"):
        read_file(file)


def test_a_sunset_that_nobody_can_judge_does_not_hold():
    """Without a database and a repository no condition holds, and each says why."""
    judged = judge_sunset(parse(GOOD, "file.md"), system(AT["after"], repository=None))
    assert [one.holds for one in judged] == [False] * 6
    assert [one.said for one in judged] == [
        "no repository was asked",
        "no database was asked",
        "no database was asked",
        "the ordinary restore: no database was asked",
        "no database was asked",
        "nothing on record can say so: a person judges it",
    ]
