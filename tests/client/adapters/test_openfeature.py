"""OpenFeature over a pinned snapshot: exact types, and no default that nobody hears of."""

import asyncio
import queue

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, GeneralError, ProviderFatalError
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.provider import ProviderStatus
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

import setpoint
from setpoint.client.adapters.openfeature import SetpointProvider, StrictClient
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.errors import InvalidContext, InvalidValue, MissingError, UnavailableError
from support.misbehaving_plane import CATALOGUES, GAMMA, SEED, for_ever, hang_up, small_plane
from support.waiting import wait_for

DEPTH, SCALE = "CVN_HPO_XGB_5M_MAX_DEPTH", "CVN_HPO_XGB_5M_GAMMA_RANGE_SCALE"
UNSET = "CVN_HPO_LGB_5M_REG_ALPHA"
FOLLOWED = (
    ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
    ProviderEvent.PROVIDER_STALE,
    ProviderEvent.PROVIDER_READY,
)
FLOATS = [0.1, 1.0, 1e-05, 0.30000000000000004, 1000.0]


@pytest.fixture
def environ(tmp_path):
    """A snapshot for BTCUSDC, with one value of an overlay and one key unset."""
    base = SnapshotLayer("global", 4, "h", "ada", {GAMMA: 0.0})
    overlay = SnapshotLayer("symbol=BTCUSDC", 9, "h", "bo", {GAMMA: 2.0})
    document = {**SEED, GAMMA: 2.0}
    del document[UNSET]
    text = canonical_text(document)
    made = Snapshot(text, text_hash(text), CATALOGUES.identities, {"symbol": "BTCUSDC"}, (base, overlay))
    (tmp_path / "s.json").write_text(made.to_json())
    return {
        "SETPOINT_CATALOGUES": "cvntrade",
        "SETPOINT_SNAPSHOT": str(tmp_path / "s.json"),
        "SETPOINT_EVENTS": str(tmp_path / "events.log"),
    }


@pytest.fixture
def provider(environ):
    made = SetpointProvider(environ=environ)
    api.set_provider_and_wait(made)
    yield made
    api.clear_providers()


@pytest.fixture
def client(provider):
    return api.get_client()


@pytest.fixture
def events(tmp_path):
    file = tmp_path / "events.log"
    return lambda: file.read_text().splitlines() if file.exists() else []


def test_values_come_with_their_type_revision_and_scope(provider, client):
    """Each type arrives as itself; variant, reason and metadata say where it came from."""
    rate = client.get_float_details("CVN_HPO_XGB_5M_LEARNING_RATE", 9.9)
    gamma = client.get_float_details(GAMMA, 9.9)

    assert (rate.value, rate.reason, rate.variant, rate.error_code) == (0.08, Reason.STATIC, "v4", None)
    assert (gamma.value, gamma.reason, gamma.variant) == (2.0, Reason.TARGETING_MATCH, "v9")
    assert gamma.flag_metadata == {
        "flagSetId": provider._hyperparams.hash,
        "version": "9",
        "scope": "symbol=BTCUSDC",
        "author": "bo",
    }
    assert client.get_integer_value(DEPTH, 1) == 7
    assert client.get_string_value(SCALE, "") == "linear"
    assert asyncio.run(client.get_float_value_async(GAMMA, 9.9)) == 2.0
    assert api.get_client().get_metadata().domain is None
    assert provider.fallbacks == {}


@pytest.mark.parametrize("value", FLOATS)
def test_a_float_has_the_same_bits(environ, tmp_path, value):
    """A float is a float with the same repr, also when it is a whole number."""
    text = canonical_text({**SEED, GAMMA: value})
    layer = SnapshotLayer("global", 1, text_hash(text), "ada")
    made = Snapshot(text, text_hash(text), CATALOGUES.identities, {}, (layer,))
    (tmp_path / "s.json").write_text(made.to_json())
    provider = SetpointProvider(environ=environ)
    provider.initialize(EvaluationContext())

    assert repr(provider.resolve_float_details(GAMMA, 9.9).value) == repr(value)


@pytest.mark.parametrize(
    ("kind", "key", "default"),
    [
        ("integer", GAMMA, 1),
        ("float", DEPTH, 1.0),
        ("boolean", DEPTH, True),
        ("string", DEPTH, "7"),
        ("float", SCALE, 1.0),
        ("object", GAMMA, {}),
    ],
)
def test_another_type_is_a_mismatch(provider, client, kind, key, default):
    """An int is no float, a float no int, and no value is a bool by chance."""
    found = getattr(client, f"get_{kind}_details")(key, default)

    assert (found.value, found.error_code) == (default, ErrorCode.TYPE_MISMATCH)
    assert key in found.error_message


@pytest.mark.parametrize(("key", "said"), [("CVN_HPO_XGB_5M_GAMA", "did you mean"), (UNSET, "has no value")])
def test_a_key_without_a_value_is_not_found_and_its_default_is_said_aloud(
    client, provider, events, key, said
):
    """The SDK hands the default out; one event names the key, and each use is counted."""
    for _ in range(3):
        found = client.get_float_details(key, 0.5)
        assert (found.value, found.error_code, found.reason) == (0.5, ErrorCode.FLAG_NOT_FOUND, Reason.ERROR)
        assert said in found.error_message

    (line,) = events()
    assert line.startswith("event=hpo_fallback_applied ")
    assert f"key={key} fallback=0.5 reason=flag_not_found" in line
    assert provider.fallbacks == {key: 3}


def test_an_event_names_the_parts_of_a_declared_key(client, events):
    """The event of a default has model, timeframe and parameter, as that of a fallback."""
    client.get_float_value(UNSET, 0.5)

    assert events()[0].startswith("event=hpo_fallback_applied model=lgb timeframe=5m param=reg_alpha ")


def test_a_context_of_another_scope_is_refused(client):
    """One snapshot is pinned: whoever asks for another symbol gets no value of this one."""
    other = EvaluationContext("worker-1", {"symbol": "ETHUSDC"})
    own = EvaluationContext("worker-1", {"symbol": "BTCUSDC", "colour": "blue"})

    assert client.get_float_details(GAMMA, 9.9, other).error_code is ErrorCode.INVALID_CONTEXT
    assert client.get_float_details(GAMMA, 9.9, EvaluationContext(attributes={"profile": "demo"})).error_code
    assert client.get_float_value(GAMMA, 9.9, own) == 2.0


@pytest.mark.parametrize("more", [{"SETPOINT_SNAPSHOT": ""}, {"SETPOINT_SNAPSHOT": "gone.json"}])
def test_without_a_snapshot_it_does_not_start(environ, events, more):
    """A bare environment or a missing file stops the program where it sets the provider."""
    provider = SetpointProvider(environ=environ | more)
    try:
        with pytest.raises(ProviderFatalError):
            api.set_provider_and_wait(provider)
        found = api.get_client().get_float_details(GAMMA, 0.5)
        assert (found.value, found.error_code) == (0.5, ErrorCode.PROVIDER_FATAL)
        assert "reason=provider_fatal" in events()[0]
        with pytest.raises(UnavailableError, match="PROVIDER_FATAL"):
            StrictClient(api.get_client()).float(GAMMA)
    finally:
        api.clear_providers()


def test_a_provider_that_was_not_initialised_gives_nothing(environ):
    """Between construction and initialization, and after the end, there is no value."""
    provider = SetpointProvider(environ=environ)
    assert provider.resolve_float_details(GAMMA, 9.9).error_code is ErrorCode.PROVIDER_NOT_READY
    provider.initialize(EvaluationContext())
    assert provider.resolve_float_details(GAMMA, 9.9).value == 2.0
    provider.shutdown()
    assert provider.resolve_float_details(GAMMA, 9.9).error_code is ErrorCode.PROVIDER_NOT_READY


def test_the_strict_client_takes_no_default(client):
    """A value of the asked type, or an error: there is no third."""
    strict = StrictClient(client)

    assert (strict.float(GAMMA), strict.integer(DEPTH), strict.string(SCALE)) == (2.0, 7, "linear")
    with pytest.raises(MissingError, match=UNSET):
        strict.float(UNSET)
    with pytest.raises(InvalidValue, match="TYPE_MISMATCH"):
        strict.integer(GAMMA)
    with pytest.raises(InvalidValue, match="TYPE_MISMATCH"):
        strict.boolean(DEPTH)
    with pytest.raises(InvalidContext):
        strict.float(GAMMA, EvaluationContext(attributes={"symbol": "ETHUSDC"}))


def test_the_strict_client_is_strict_over_any_provider():
    """Another provider's bool for an int, or its plain default, is no value either."""
    flags = {"flag": InMemoryFlag("on", {"on": True})}
    api.set_provider_and_wait(InMemoryProvider(flags), "other")
    try:
        strict = StrictClient(api.get_client("other"))
        assert strict.boolean("flag") is True
        with pytest.raises(InvalidValue, match="no int"):
            strict.integer("flag")
        with pytest.raises(MissingError):
            strict.integer("gone")
    finally:
        api.clear_providers()
    with pytest.raises(MissingError, match="default"):
        StrictClient(OpenFeatureClient(None, None)).float("any")  # the SDK's no-op provider: reason DEFAULT


def test_over_a_watch_values_move_at_its_boundaries(tmp_path):
    """Flags read one state of a watched plane, and the next one after a boundary."""
    with small_plane() as small:
        environ = {
            "SETPOINT_URL": small.url,
            "SETPOINT_CATALOGUES": "cvntrade",
            "SETPOINT_HOME": str(tmp_path / "home"),
        }
        with setpoint.watch(environ=environ) as hp:
            provider = SetpointProvider(hp, environ=environ)
            provider.initialize(EvaluationContext())
            small.change(**{GAMMA: 3.0})
            wait_for(lambda: hp._newest.etag != hp._held.etag, "news")
            assert provider.resolve_float_details(GAMMA, 9.9).value == 0.0
            hp.boundary()
            found = provider.resolve_float_details(GAMMA, 9.9)
            assert (found.value, found.variant) == (3.0, "v2")
    assert isinstance(FlagEvaluationDetails(GAMMA, found.value).value, float)


def test_over_a_watch_the_sdk_hears_what_the_watch_hears(tmp_path):
    """Changed keys at a boundary, stale when the plane is not heard, ready when it is: in that order."""
    heard = queue.Queue()
    with small_plane() as small:
        environ = {
            "SETPOINT_URL": small.url,
            "SETPOINT_CATALOGUES": "cvntrade",
            "SETPOINT_HOME": str(tmp_path / "home"),
            "SETPOINT_EVENTS": str(tmp_path / "events.log"),
            "SETPOINT_PLANE_TIMEOUT_S": "1",
        }
        with setpoint.watch(environ=environ, poll_s=0.2) as hp:
            api.set_provider_and_wait(SetpointProvider(hp, environ=environ))
            handlers = {event: lambda details, event=event: heard.put((event, details)) for event in FOLLOWED}
            for event, handler in handlers.items():
                api.add_handler(event, handler)
            try:
                assert heard.get(timeout=60)[0] is ProviderEvent.PROVIDER_READY
                small.change(**{GAMMA: 3.0})
                wait_for(hp.boundary, "a boundary that switches")
                event, details = heard.get(timeout=60)
                assert (event, details.flags_changed) == (FOLLOWED[0], [GAMMA])
                assert details.metadata["flagSetId"] == hp.hash
                small.faults["/v1/snapshot"] = [for_ever(hang_up)]
                assert heard.get(timeout=60)[0] is ProviderEvent.PROVIDER_STALE
                small.faults.clear()
                assert heard.get(timeout=60)[0] is ProviderEvent.PROVIDER_READY
            finally:
                for event, handler in handlers.items():
                    api.remove_handler(event, handler)
                api.clear_providers()


def test_a_plane_out_of_reach_is_an_error_that_may_heal(tmp_path):
    """The SDK's status is ERROR and not FATAL, which it would never try again."""
    environ = {"SETPOINT_URL": "http://127.0.0.1:9", "SETPOINT_CATALOGUES": "cvntrade"}
    environ |= {"SETPOINT_HOME": str(tmp_path / "home"), "SETPOINT_PLANE_TIMEOUT_S": "0.1"}
    try:
        with pytest.raises(GeneralError, match="does not answer"):
            api.set_provider_and_wait(SetpointProvider(environ=environ))
        assert api.get_client().get_provider_status() is ProviderStatus.ERROR
    finally:
        api.clear_providers()
