"""Write docs/reference/schema.sql: what every migration together makes of an empty database.

`python docs/generate_schema.py` migrates an empty database of a private server and has pg_dump tell its
tables, functions and rights; `tests/store/test_migrations.py` holds that each supported PostgreSQL gets
exactly the committed file. A review thus sees what a migration changes, wherever it is written.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.settings import Settings
from setpoint.store.client_programs import command
from setpoint.store.connections import embedded_conninfo
from setpoint.store.schema import migrate
from setpoint.store.server import embedded
from setpoint.store.server.supervisor import DATABASE, OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).parent / "reference" / "schema.sql"
NOTICE = "-- Written by docs/generate_schema.py from a migrated database. Do not edit it here.\n\n"
#: What pg_dump says of itself, of the server and of the session that would read it: another text each time.
NOISE = re.compile(r"--.*|\\.*|SET \w+ = .*;|SELECT pg_catalog\.set_config\(.*\);")
#: Newer servers name what is not null, and of a partition pg_dump tells it.
NAMED = re.compile(r"CONSTRAINT \w+ (?=NOT NULL)")


def schema_text(settings: Settings, conninfo: str) -> str:
    """Return the schema of a database; the same for the same migrations, on each supported PostgreSQL."""
    dump = command(settings, "pg_dump", conninfo)
    told = subprocess.run(
        [*dump.argv, "--schema-only", "--no-owner"],
        env=dump.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return NOTICE + "".join(_statements(told.stdout))


def _statements(dump: str) -> Iterator[str]:
    """Yield the lines that state something, never two empty ones in a row."""
    empty = True
    for line in dump.splitlines():
        if NOISE.fullmatch(line) or (empty and not line):
            continue
        empty = not line
        yield NAMED.sub("", f"{line}\n")


def main() -> None:
    """Migrate an empty database and write its schema."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), linger_s=1.0)
        try:
            with embedded.attach(settings) as attached:
                conninfo = embedded_conninfo(attached.listening, login=OWNER, database=DATABASE)
                migrate(conninfo)
                TARGET.write_text(schema_text(settings, conninfo), encoding="utf-8")
        finally:
            embedded.stop(settings, force=True)


if __name__ == "__main__":
    main()
