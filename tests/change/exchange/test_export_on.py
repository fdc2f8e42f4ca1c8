"""An export into a folder that is there goes on from its head, and ends as one that was made whole."""

import json

import pytest

from setpoint.change.exchange import history_files
from setpoint.change.exchange.export import export
from setpoint.change.exchange.folder_writing import alone_in
from setpoint.change.identity import Author
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed
from setpoint.declare.seeds import load_seeds
from setpoint.errors import ConflictError, HashMismatch

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
#: Two of the seeds.
FIRST = 2


@pytest.fixture
def write(database, catalogues):
    """Give a value another number, so many times; in an overlay every other time."""
    seeds = load_seeds("", catalogues)
    apply_seed(database, catalogues, seeds, Author("ada", "os-account"), overwrite=False)
    numbers = iter(range(1, 100))

    def run(times):
        for number in [next(numbers) for _ in range(times)]:
            scope = ("global", "symbol=BTCUSDC")[number % 2]
            proposal = Proposal(scope=scope, reason="on", set={GAMMA: number / 8}, new_scope=True)
            with database.transaction(author="ada") as transaction:
                open_and_apply(transaction, catalogues, proposal)

    return run


@pytest.fixture
def ask(database, catalogues, tmp_path):
    """Export into ``tmp_path / "on"``, or elsewhere."""

    def run(where="on", **options):
        return export(database, catalogues, tmp_path / where, **options)

    return run


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_export_that_went_on_is_one_that_was_made_whole(write, ask, tmp_path):
    """Each time only what is new is written, and every byte is that of a folder exported at once."""
    heard = []
    for times, written in ((3, None), (0, 0), (2, 2 + 2 + 1), (4, 4 + 2 + 1)):
        write(times)
        found = ask(tell=lambda *said: heard.append(said))
        assert written in {found.files, None}
    ask("whole")

    assert files(tmp_path / "on") == files(tmp_path / "whole")
    assert heard == [(5, 5), (5, 5), (7, 7), (11, 11)]
    assert ask(full=True).files == 0


@pytest.mark.parametrize("pages", [1, 2])
def test_an_interrupted_export_goes_on(write, ask, tmp_path, monkeypatch, pages):
    """Stopped after a page, the first time and later, with a file left half written: the next one ends it."""
    monkeypatch.setattr(history_files, "BATCH", 2)

    def stop(done, in_all):
        if in_all - done <= 2 * pages:
            raise KeyboardInterrupt

    for times in (5, 6):
        write(times)
        with pytest.raises(KeyboardInterrupt):
            ask(tell=stop)
        assert not (tmp_path / "on" / "head.json").exists() or times == 6
        for left in ("history/.99.json.partial", ".head.json.partial"):
            (tmp_path / "on" / left).write_text('{"half')
        ask()
    ask("whole")

    assert files(tmp_path / "on") == files(tmp_path / "whole")


def test_a_file_that_went_missing_is_named_and_written_again_in_full(write, ask, tmp_path):
    """It was exported, so somebody lost it: said with the way out, which leaves the folder as it was."""
    write(3)
    ask()
    before = files(tmp_path / "on")
    (tmp_path / "on/history/3.json").unlink()

    with pytest.raises(HashMismatch, match=r"history/3\.json is missing") as refused:
        ask()
    assert f"setpoint export {tmp_path / 'on'} --full" in refused.value.hint
    assert ask(full=True).files == 1
    assert files(tmp_path / "on") == before


def test_an_older_file_that_was_edited_is_found_by_a_full_export(write, ask, tmp_path):
    """Going on, the newest one alone is looked at; in full every one, and none is written over."""
    write(3)
    ask()
    for revision, options in ((3, {"full": True}), (FIRST + 3, {})):
        path = tmp_path / f"on/history/{revision}.json"
        text = path.read_text()
        path.write_text(text.replace('"updated_by": "ada"', '"updated_by": "bo"'))
        assert options == {} or ask().files == 0
        with pytest.raises(HashMismatch, match=rf"history/{revision}\.json is not what this database says"):
            ask(**options)
        path.write_text(text)
    assert ask(full=True).files == 0


def test_a_head_that_was_edited_and_a_revision_too_many_are_refused(write, ask, tmp_path):
    """Neither another chain nor a revision that this database does not have is gone on from."""
    write(1)
    ask()
    head = tmp_path / "on/head.json"
    text = head.read_text()
    head.write_text(json.dumps(json.loads(text) | {"chain": "f" * 64}))
    with pytest.raises(HashMismatch, match=r"head\.json names a revision that this database has otherwise"):
        ask()

    head.write_text(text)
    (tmp_path / "on/history/9.json").write_text("{}")
    with pytest.raises(HashMismatch, match="knows revision 9, but this database ends at 3"):
        ask()


def test_two_exports_never_write_one_folder_at_once(write, ask, tmp_path):
    """The second one is refused with the way out, and the first goes on."""
    write(1)
    with alone_in(tmp_path / "on"), pytest.raises(ConflictError, match="another export is writing"):
        ask()
    assert ask().files > 0
