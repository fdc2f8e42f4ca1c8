"""The page of the four ways back: promises, what applies in an incident, what was taken, and its clock."""


def test_a_way_back_is_taken_and_proven_on_its_page(person, seeded):
    """It shows what applies with its commands; who takes it and what proves it are kept, once each."""
    ada, cy = person("ada"), person("cy")
    page = cy.read("/rollback")
    for said in ("< 5 min", "< 10 min", "< 30 min", "none: the document says n/a", "never",
                 "setpoint drill image-pin --last-good PATH"):  # fmt: skip
        assert said in page, said
    shown = cy.read("/rollback", incident="INC-42")
    assert "What applies in INC-42 now" in shown
    assert "git revert --no-edit $(git rev-parse" in shown
    assert '<option value="image_pin">pin the image to the last good build: does not apply</option>' in shown
    assert '<option value="revert" selected>revert the merge commit and deploy</option>' in shown
    assert "This needs the role config_write or approver or admin" in shown
    taken = {"incident": "INC-42", "mechanism": "revert", "words": "the rate is read wrongly"}
    assert cy.send("/rollback", **taken).status_code == 403
    assert ada.send("/rollback", **taken | {"mechanism": "prayer"}).status_code == 422
    assert ada.send("/rollback/proof", incident="INC-42", words="none").status_code == 404
    assert ada.send("/rollback", **taken).status_code == 303
    assert ada.send("/rollback", **taken).status_code == 409
    assert "It worked: end the clock" in ada.read("/rollback", incident="INC-42")
    assert ada.send("/rollback/proof", incident="INC-42", words="the banner says it").status_code == 303
    after = cy.read("/rollback")

    assert "ada: the rate is read wrongly" in after
    assert "ada: the banner says it" in after
    assert "not proven yet" not in after
