"""What a program that pins waits for: TOML is parsed once on a machine; what is not needed is not loaded."""

import os
import subprocess
import sys
from hashlib import sha256

from setpoint.client import compiled_catalogues
from setpoint.client.compiled_catalogues import FOLDER, kept_catalogues
from setpoint.settings import Settings
from support.misbehaving_plane import small_plane

#: What a first pin would wait longer for than for its values.
HEAVY = {
    "asyncio", "decimal", "difflib", "email", "encodings.idna", "http.client", "logging", "random", "secrets",
    "shutil", "ssl", "subprocess", "tempfile", "tomllib", "urllib.request", "setpoint.observe.events",
}  # fmt: skip
PIN = "import sys, setpoint; setpoint.pin(); print(*sys.modules)"
OWN = (
    'format = 1\nname = "own"\nversion = "1.0.0"\nprefix = "OWN"\n'
    '[[parameters]]\nname = "l2"\ntype = "float"\nlow = 0.0\nhigh = 1.0\ndoc = "Pull to zero."\n'
)


def test_what_is_kept_is_believed_only_whole(tmp_path, monkeypatch):
    """Whatever stands in the folder, the catalogue is what its file says, and little is kept."""
    file, home = tmp_path / "own.toml", tmp_path / "home"
    settings = Settings(home=home, catalogues=str(file))
    file.write_text(OWN)
    assert kept_catalogues(settings).keys["OWN_L2"].parameter.high == 1.0
    (kept,) = (home / FOLDER).iterdir()
    good = kept.read_text()
    assert good.endswith("}")

    for number, damaged in enumerate((good[:-5], good.replace("1.0", "9.0"), "", "\n{}", "{}")):
        text = f"{OWN}# {number}\n"  # another text: what this process has read is not asked for again
        file.write_text(text)
        place = home / FOLDER / f"{sha256(text.encode()).hexdigest()}.compiled"
        place.write_text(damaged)
        assert kept_catalogues(settings).keys["OWN_L2"].parameter.high == 1.0
        assert place.read_text() == good

    monkeypatch.setattr(compiled_catalogues, "MOST_KEPT", 3)
    file.write_text(OWN.replace("high = 1.0", "high = 2.0"))
    assert kept_catalogues(settings).keys["OWN_L2"].parameter.high == 2.0
    assert len([*(home / FOLDER).iterdir()]) == 3
    elsewhere = Settings(home=file / "no folder", catalogues=str(file))
    file.write_text(OWN.replace("high = 1.0", "high = 3.0"))
    assert kept_catalogues(elsewhere).keys["OWN_L2"].parameter.high == 3.0


def test_a_first_pin_imports_what_it_needs(tmp_path):
    """TLS, dates, TOML and events that nobody says yet are for those who need them."""
    with small_plane() as plane:
        environ = {name: text for name, text in os.environ.items() if not name.startswith("SETPOINT_")} | {
            "SETPOINT_URL": plane.url,
            "SETPOINT_HOME": str(tmp_path),
            "SETPOINT_CATALOGUES": "cvntrade",
        }
        first, again = (
            set(
                subprocess.run(
                    [sys.executable, "-c", PIN], env=environ, check=True, capture_output=True, text=True
                ).stdout.split()
            )
            for _ in range(2)
        )
    assert "setpoint.client.plane.wire" in again
    assert first & HEAVY == {"tomllib"}
    assert not again & HEAVY
