"""Going anywhere by typing, without a script too; and what pages load is what was vendored."""

import hashlib
from importlib.resources import files

IDIOMORPH = "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96"


def test_a_text_leads_to_pages_numbers_keys_and_runs(person):
    """A place by its name, a change and a revision by number, a key by name or address."""
    cy = person("cy")
    assert 'href="/history"' in cy.read("/search", q="hist")
    numbered = cy.read("/search", q="17")
    assert 'href="/changes/17"' in numbered
    assert 'href="/history/17"' in numbered
    for text in ("XGB_5M_GAMMA", "xgb/5m/gamma"):
        assert 'href="/keys/CVN_HPO_XGB_5M_GAMMA"' in cy.read("/search", q=text)
    assert "Nothing is called like that" in cy.read("/search", q="no such thing")


def test_keys_are_found_by_words_in_any_order_as_people_say_them(person, http_as):
    """By a library's name, an address' words and a meaning's; of more keys than are shown it is said."""
    cy = person("cy")
    key = 'href="/keys/CVN_HPO_LGB_5M_LEARNING_RATE"'
    said = ("lightgbm learning rate", "rate 5m LightGBM", "lgb learning_rate", "lgb 5m shrinks", "lgb eta 5m")
    for words in said:
        assert key in cy.read("/search", q=words), words
    assert "15m" not in cy.read("/search", q="lgb 5m learning rate"), "a word is not found within another"
    found = http_as("cy").get("/v1/catalogue", params={"match": "lightgbm learning rate"}).json()["items"]
    assert "CVN_HPO_LGB_5M_LEARNING_RATE" in {one["key"] for one in found}, "the API knows them too"
    assert "12 of 15 keys are shown" in cy.read("/search", q="learning rate")
    assert "/keys/" not in cy.read("/search", q="")


def test_what_is_vendored_is_as_its_authors_published_it():
    """The merging library is unchanged, by its hash, and its licence stands beside it."""
    folder = files("setpoint.serve.console") / "static"
    assert hashlib.sha256((folder / "idiomorph.min.js").read_bytes()).hexdigest() == IDIOMORPH
    assert "Zero-Clause BSD" in (folder / "idiomorph.license.txt").read_text(encoding="utf-8")
