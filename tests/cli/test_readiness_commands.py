"""`setpoint readiness new|check|score|sunset`: exit codes, documents for scripts, and files never lost."""

from support.readiness_files import DOCUMENT, GOOD


def test_a_fresh_file_is_written_once(setpoint_command, tmp_path):
    """`new` writes a form that `check` reads, and writes over nothing unless asked."""
    file = tmp_path / "story.md"
    new = ("readiness", "new", str(file), "--story", "S18", "--owner", "@ada")
    assert setpoint_command(*new).code == 0
    fresh = file.read_text()
    file.write_text(GOOD)
    refused = setpoint_command(*new)
    assert (refused.code, file.read_text()) == (5, GOOD)
    assert "--overwrite" in refused.err
    assert setpoint_command(*new, "--overwrite").code == 0
    assert file.read_text() == fresh
    assert setpoint_command("readiness", "check", str(file)).code == 1


def test_a_check_says_what_is_proven_and_what_is_not(seeded, setpoint_command, monkeypatch, tmp_path):
    """Table and document name each proof with its command; a finding has its line and its next step."""
    shown = setpoint_command("readiness", "check", str(DOCUMENT))
    assert shown.code == 1
    assert "fails: line 41, p1-is-live: the P1 alert hp_console_coverage_low rests on" in shown.out
    told = setpoint_command("readiness", "check", str(DOCUMENT), "--json").json
    assert (told["phase"], told["passes"]) == ("after", False)
    by_name = {one["name"]: one for one in told["evidence"]}
    assert by_name["hp_console_coverage_low"]["command"] == "setpoint alerts show hp_console_coverage_low"
    assert by_name["break_glass"]["state"] == "missing"
    shows = {one["command"] for one in told["evidence"] if one["command"].startswith("setpoint ")}
    for command in sorted(shows):
        if not command.startswith("setpoint drill") and not command.endswith("--help"):
            assert setpoint_command(*command.split()[1:]).code == 0, command
    opening = ("--phase", "opening", "--at", "2026-05-10T00:00Z", "--json")
    early = setpoint_command("readiness", "check", str(DOCUMENT), *opening).json
    assert {one["rule"] for one in early["owed"]} >= {"references", "pr-review", "nothing-tbd"}

    scored = setpoint_command("readiness", "score", str(DOCUMENT), "--json").json
    assert scored["score"] == told["score"] < 100
    assert scored["parts"] == told["parts"]
    ended = setpoint_command("readiness", "sunset", str(DOCUMENT), "--json")
    assert ended.code == 1
    assert [one["line"] for one in ended.json["conditions"]] == [104, 105, 106, 107, 108]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SETPOINT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    blind = setpoint_command("readiness", "check", str(DOCUMENT), "--json")
    assert blind.code == 1
    assert "the database was not read" in blind.err
    states = {one["kind"]: one["state"] for one in blind.json["evidence"]}
    assert (states["alert"], states["test"], states["mechanism"]) == ("unknown", "unknown", "unknown")


def test_what_is_no_readiness_file_is_refused(setpoint_command, tmp_path):
    """A file that is not there, and one that is another, are refused with exit code 3 and how to begin."""
    other = tmp_path / "other.md"
    other.write_text("# Something else\n")
    for file in (tmp_path / "none.md", other):
        refused = setpoint_command("readiness", "check", str(file))
        assert refused.code == 3
        assert "setpoint readiness new" in refused.err
