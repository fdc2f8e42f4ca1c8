"""The single-reader audit: which variable is read, when it is only one, and which files are parsed for it."""

import pytest

KEY = "CVN_HPO_XGB_5M_GAMMA"
ADDRESS = ("xgb", "5m", "gamma")


@pytest.mark.parametrize(
    "source",
    [
        f"P = '{KEY}'\nos.environ[P]",
        "P = 'CVN_HPO'\nos.environ[f'{P}_XGB_5M_GAMMA']",
        f"os.environb[b'{KEY}']",
        f"class C:\n    K = '{KEY}'\n    def f(self): return os.getenv(self.K)",
        f"NAMES = {{'g': '{KEY}', 'h': 'HOME'}}\nos.environ[NAMES['g']]",
        f"os.path.expandvars('${KEY} $HOME')",
        f"env.float('{KEY.lower()}')",
        f"Field(alias='{KEY}')",
    ],
)
def test_a_name_that_is_certain_is_a_key(gate, source):
    """However it is put together: the finding names the key."""
    (found,) = gate(source).findings

    assert (found.rule, found.key, found.address) == ("SPG201", KEY, ADDRESS)


@pytest.mark.parametrize(
    "source",
    [
        f"for k in ['{KEY}']: os.environ[k]",
        f"def f(k='{KEY}'): return os.environ[k]",
        f"k = '{KEY}' if fast else 'CVN_HPO_XGB_1H_GAMMA'\nos.environ[k]",
        f"k = '{KEY}' if fast else other()\nos.environ[k]",
        f"k = '{KEY}'\nk += suffix\nos.environ[k]",
        f"class C:\n    K = '{KEY}'\n    def f(self): return os.getenv(self.K)\nC.K = other()",
        f"def key(t):\n    if t: return '{KEY}'\n    return other()\nos.environ[key(1)]",
        "os.environ[f'CVN_HPO_XGB_{t}_GAMMA']",
        "os.environ['CVN_HPO_XGB_{}_GAMMA'.format(t)]",
    ],
)
def test_a_name_that_may_be_another_one_is_no_key(gate, source):
    """What one run reads is not what the next one reads: the finding stands without a fix."""
    (found,) = gate(source).findings

    assert (found.rule, found.address, found.fix) == ("SPG201", (), "")
    assert found.key.startswith("CVN_HPO_XGB_")
    assert found.key.endswith("*")


def test_a_file_that_borrows_a_name_is_parsed(gate):
    """A reader without any governed text is judged when it imports one, and left unread when it does not."""
    told = gate(
        "import os\nfrom names import RATE\nos.environ[RATE]",
        **{
            "names.py": f"RATE = '{KEY}'",
            "home.py": "import os\nfrom places import HOME\nos.environ[HOME]",
            "places.py": "HOME = 'HOME'",
        },
    )

    assert [(found.path, found.key) for found in told.findings] == [("train.py", KEY)]
    assert (told.files, told.parsed) == (4, 2)


def test_names_that_are_made_of_each_other_end(gate):
    """A circle of names, of imports and of functions says nothing and fails nothing."""
    circle = "import os\nfrom other import B\nA = B\nC = 'CVN_HPO_' + D\nD = C\ndef f(): return f()\n"
    circle += "E = 'x'\n" + "E = E + E + E\n" * 50 + "os.environ[E]\n"
    told = gate(
        f"{circle}os.environ[A]; os.environ[f()]; os.environ[C]", **{"other.py": "from train import A as B"}
    )

    assert ([found.name for found in told.findings], told.failures) == (["CVN_HPO_"], [])
