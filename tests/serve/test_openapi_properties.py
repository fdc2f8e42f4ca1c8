"""The OpenAPI document is the truth: whatever it allows or forbids, the plane answers as it says.

Each operation is asked with what the document allows and with what it forbids, with real scopes, keys,
revisions and changes mixed in. ``SETPOINT_API_EXAMPLES`` asks for a deeper run, and ``SETPOINT_API_CASES``
holds it to a number.
"""

import os
import random
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from support.planes import credential

EXAMPLES = int(os.environ.get("SETPOINT_API_EXAMPLES", "12"))
#: Cases that a run has judged at the end, or it has looked at less than it was asked to.
FEWEST = int(os.environ.get("SETPOINT_API_CASES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
]
BTC = "symbol=BTCUSDC"
LR, GAMMA = "CVN_HPO_XGB_5M_LEARNING_RATE", "CVN_HPO_XGB_5M_GAMMA"
#: What stands in the database, by the name of a parameter or of a field.
REAL = {
    "scope": ["global", BTC, "profile=demo"],
    "key": [LR, GAMMA],
    "revision": [1, 2, 3],
    "from": [1, 2],
    "to": [1, 3],
    "change": [1, 2, 3, 4],
    "base": [2, 3],
    "restores": [1, 2],
    "keys": [[GAMMA]],
    "remove": [[], [GAMMA]],
    "set": [{LR: 0.05}, {LR: 1}, {f"{LR}_RANGE": {"min": 0.01, "max": 0.3}}, {"xgb/5m/gamma": 1e-05}],
}


@pytest.fixture
def described(seeded, http_as, plane):
    """The document of a plane with an overlay, a draft, a change that waits, and one that is decided."""
    ada = http_as("ada")
    made = ada.post("/v1/scopes", json={"scope": BTC, "set": {GAMMA: 0.5}, "reason": "BTC overfits"})
    assert made.status_code == 201, made.text
    for draft in (True, False):
        opened = ada.post(
            "/v1/changes",
            json={
                "scope": BTC,
                "base": made.json()["revision"],
                "set": {LR: 0.05},
                "reason": "x",
                "draft": draft,
            },
        )
        assert opened.status_code == 201, opened.text
    # Plain routes have tests of their own: a stream does not end, and flags refuse in OFREP's own shape. A
    # session that is ended could ask no more.
    schema = schemathesis.openapi.from_url(f"{plane}/openapi.json")
    # RFC 6585: a write without its If-Match is 428, which the check does not know by itself.
    schema.config.checks.missing_required_header.expected_statuses.append("428")
    return schema.exclude(tag=["hot", "pages", "plane"]).exclude(path_regex=r"^/v1/sessions")


def judge(operation, headers, answered):
    """Ask an operation for everything its document allows and forbids; raises what the checks found."""

    def ask(case):
        # A case that was made to name real things is judged as one that the document allows.
        checks = CHECKS[:-1] if make_real(case) else CHECKS
        answer = case.call_and_validate(headers=headers, checks=checks)
        answered[operation.label, answer.status_code] += 1

    wanted = HypothesisTestConfig(
        project=operation.schema.config,
        modes=[HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING],
        explicit_settings=SETTINGS,
    )
    create_test(operation=operation, test_func=ask, config=wanted)()


# The deeper run takes as long as it was asked to.
@pytest.mark.timeout(600 if EXAMPLES <= 40 else 3600)
def test_every_operation_answers_as_it_is_documented(described, owner_url):
    """No answer is a 5xx or undocumented, and what the document forbids is refused."""
    answered, failures = Counter(), []
    headers = {"Authorization": f"Bearer {credential(owner_url, 'dan')}"}
    for result in described.get_all_operations():
        operation = result.ok()
        try:
            judge(operation, headers, answered)
        except (FailureGroup, ExceptionGroup, Failure) as failure:
            failures.append(f"{operation.label}: {failure}")

    assert not failures, "\n\n".join(failures)
    assert answered.total() >= FEWEST, f"{answered.total()} cases"
    assert len({label for label, status in answered if status < 300}) > 20, answered


def make_real(case):
    """Name things that are there, where a case names things as the document allows."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return False
    seed = repr((case.path, case.path_parameters, case.query, case.body))
    chance = random.Random(seed)  # noqa: S311 - the same choice for the same case
    touched = False
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            for name in part.keys() & REAL.keys():
                if chance.random() < 0.7:
                    part[name] = chance.choice(REAL[name])
                    touched = True
    return touched
