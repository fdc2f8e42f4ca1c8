"""RESOLVE: an OpenFeature provider over one pinned snapshot; the one adapter here that needs a package.

Install ``setpoint[openfeature]``. Flag keys are the catalogue's keys, such as ``CVN_HPO_XGB_5M_GAMMA``.

Guarantees: a value has exactly its declared type (an int is no float, a bool no int); the variant is the
revision it came from, the reason ``STATIC`` for the first scope and ``TARGETING_MATCH`` for an overlay; the
metadata name the snapshot. ``initialize`` fails when there is no verified snapshot, so that
``api.set_provider_and_wait`` stops the program (``api.set_provider`` does not wait: do not use it here): with
an error that may heal when the plane is out of reach, fatally otherwise. Over a watch the SDK's events follow
it: PROVIDER_CONFIGURATION_CHANGED with the changed keys at a boundary, PROVIDER_STALE when the plane is not
heard any more, PROVIDER_READY when it is again.

Refuses a key without a value, another type, and an evaluation context that asks for a scope other than the
pinned one. **The SDK then hands the caller's default out: it swallows every exception of a provider and of a
hook.** Two ways keep that from being silent. The provider's hook emits ``hpo_fallback_applied`` for each key
whose default was used, once, and counts it in ``fallbacks``. And ``StrictClient`` takes no default at all: it
raises. Use it wherever a wrong value would train a wrong model.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, GeneralError, ProviderFatalError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, Metadata

from setpoint.client.fallbacks import Fallbacks, parts_of, this_program
from setpoint.client.sources import load_hyperparams, program_events
from setpoint.errors import InvalidContext, InvalidValue, MissingError, SetpointError, UnavailableError
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openfeature.client import OpenFeatureClient
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagEvaluationDetails
    from openfeature.hook import HookContext, HookHints

    from setpoint.client.hyperparams import Hyperparams
    from setpoint.client.snapshot import SnapshotLayer
    from setpoint.client.watch import Switch


class SetpointProvider(AbstractProvider):
    """Serves the values of one snapshot as flags.

    Args:
        hyperparams: what ``setpoint.pin`` or ``setpoint.watch`` returned; with a watch, values move at its
            boundaries. None pins when the provider is initialized.
        context: for that pin; ignored when ``hyperparams`` is given.
        environ: for tests; the process's environment otherwise.
    """

    def __init__(
        self,
        hyperparams: Hyperparams | None = None,
        *,
        context: Mapping[str, str | None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._given, self._context = hyperparams, dict(context or {})
        self._environ = os.environ if environ is None else environ
        self._hyperparams: Hyperparams | None = None
        given = Settings.from_environ(self._environ)
        self._fallbacks = Fallbacks(program_events(given), this_program(given.run))
        #: How often each key's default was handed out instead of a value.
        self.fallbacks: dict[str, int] = self._fallbacks.counts

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="setpoint")

    def get_provider_hooks(self) -> list[Hook]:
        """Return the hook that logs each default that is used."""
        return [_DefaultsAloud(self)]

    def initialize(self, evaluation_context: EvaluationContext, domain: str | None = None) -> None:  # noqa: ARG002 - the SDK's signature, and its next release's
        """Pin, unless values were given.

        Raises:
            GeneralError: the plane is out of reach, and nothing that it confirmed may stand in.
            ProviderFatalError: nothing can be pinned, or only a bare, unverified environment.
        """
        try:
            found = self._given or load_hyperparams(self._context, self._environ)
        except UnavailableError as problem:
            raise GeneralError(str(problem)) from problem
        except SetpointError as problem:
            raise ProviderFatalError(str(problem)) from problem
        if not found.snapshot.verified:
            raise ProviderFatalError(
                "there is no snapshot: set SETPOINT_URL, or start this process with `setpoint run -- ...`"
            )
        self._hyperparams = found
        listeners = _listeners(found)
        if self._hear not in listeners:
            listeners.append(self._hear)

    def shutdown(self) -> None:
        """Forget the values; a watch stays its owner's to close."""
        if self._hyperparams and self._hear in (listeners := _listeners(self._hyperparams)):
            listeners.remove(self._hear)
        self._hyperparams = None

    def _hear(self, news: Switch | bool) -> None:
        """Tell the SDK what a watch tells."""
        if isinstance(news, bool):
            details = ProviderEventDetails(message="the plane is not heard" if news else "the plane is back")
            (self.emit_provider_stale if news else self.emit_provider_ready)(details)
            return
        metadata: dict[str, bool | str | int | float] = {"flagSetId": news.after}
        self.emit_provider_configuration_changed(
            ProviderEventDetails(flags_changed=list(news.changed), metadata=metadata)
        )

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Return a bool, or an error with the default."""
        return self._resolved(flag_key, bool, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return the text of a categorical value or of a range's scale, or an error with the default."""
        return self._resolved(flag_key, str, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Return an int that is no bool, or an error with the default."""
        return self._resolved(flag_key, int, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Return a float, never an int that would compare equal, or an error with the default."""
        return self._resolved(flag_key, float, default_value, evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Any]:
        """Return an error with the default: no key holds an object."""
        return self._resolved(flag_key, dict, default_value, evaluation_context)

    def _resolved(
        self, key: str, kind: type, default: Any, evaluation_context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        found = getattr(self._hyperparams, "current", self._hyperparams)  # of a watch, one state
        if found is None:
            return _refused(default, ErrorCode.PROVIDER_NOT_READY, "no snapshot is pinned")
        if asked := _other_scope(found, evaluation_context):
            return _refused(default, ErrorCode.INVALID_CONTEXT, asked)
        try:
            value = found.value(key)
        except MissingError as problem:
            return _refused(default, ErrorCode.FLAG_NOT_FOUND, str(problem))
        if type(value) is not kind:
            mismatch = f"{key} is declared as {type(value).__name__}, not {kind.__name__}."
            return _refused(default, ErrorCode.TYPE_MISMATCH, mismatch)
        layer, is_overlay = _winner(found, key)
        return FlagResolutionDetails(
            value=value,
            reason=Reason.TARGETING_MATCH if is_overlay else Reason.STATIC,
            variant=f"v{layer.revision}",
            # Names that the SDK's telemetry knows: the flag set is the snapshot, its version the revision.
            flag_metadata={
                "flagSetId": found.hash,
                "version": str(layer.revision),
                "scope": layer.scope,
                "author": layer.author,
            },
        )

    def count_default(self, key: str, default: Any, reason: str) -> None:
        """Count a default that was handed out; the first of each key is an event."""
        named, param = self._named(key)
        plain = default if isinstance(default, int | float | bool | str) else repr(default)
        self._fallbacks.count(key, plain, reason, param=param, parts=named)

    def _named(self, key: str) -> tuple[dict[str, str], str]:
        """Return the parts of a declared key by name, and its parameter; nothing for any other key."""
        found = self._hyperparams or self._given
        declared = found.catalogues.keys.get(key) if found else None
        if found is None or declared is None:
            return {}, ""
        return parts_of(found.catalogues, declared), declared.parameter.name


def _listeners(found: Hyperparams) -> list[Callable[[Switch | bool], None]]:
    """Return who is told of a watch's switches; of values that never move, a list that nobody reads."""
    return getattr(found, "listeners", [])


class _DefaultsAloud(Hook):
    """Runs after each evaluation, also one that failed before it reached the provider."""

    def __init__(self, provider: SetpointProvider) -> None:
        self._provider = provider

    def finally_after(
        self,
        hook_context: HookContext,
        details: FlagEvaluationDetails[Any],
        hints: HookHints,  # noqa: ARG002 - the SDK's signature
    ) -> None:
        if details.error_code is not None:
            reason = details.error_code.value.lower()
            self._provider.count_default(hook_context.flag_key, hook_context.default_value, reason)


class StrictClient:
    """Reads flags without defaults: what is not a value of the asked type is an error.

    Works over any provider, for it trusts the details of an evaluation alone: an error code, the reasons
    ``ERROR`` and ``DEFAULT``, and a value of another type than the asked one all raise.

    Raises:
        MissingError: no such flag, or it has no value.
        InvalidValue: its value is of another type.
        InvalidContext: the evaluation context asks for another scope.
        UnavailableError: the provider is not ready, or failed.
    """

    def __init__(self, client: OpenFeatureClient) -> None:
        self._client = client

    def boolean(self, key: str, context: EvaluationContext | None = None) -> bool:
        """Return a bool."""
        return bool(_value(self._client.get_boolean_details(key, False, context), bool))

    def string(self, key: str, context: EvaluationContext | None = None) -> str:
        """Return a text."""
        return str(_value(self._client.get_string_details(key, "", context), str))

    def integer(self, key: str, context: EvaluationContext | None = None) -> int:
        """Return an int that is no bool."""
        return int(_value(self._client.get_integer_details(key, 0, context), int))

    def float(self, key: str, context: EvaluationContext | None = None) -> float:
        """Return a float."""
        return float(_value(self._client.get_float_details(key, 0.0, context), float))


_ERRORS: dict[ErrorCode, type[SetpointError]] = {
    ErrorCode.FLAG_NOT_FOUND: MissingError,
    ErrorCode.TYPE_MISMATCH: InvalidValue,
    ErrorCode.INVALID_CONTEXT: InvalidContext,
    ErrorCode.TARGETING_KEY_MISSING: InvalidContext,
}


def _value(details: FlagEvaluationDetails[Any], kind: type) -> Any:
    key = details.flag_key
    if details.error_code is not None:
        error = _ERRORS.get(details.error_code, UnavailableError)
        reason = details.error_message or "the provider says no more"
        raise error(f"flag {key} has no value ({details.error_code.value}): {reason}", key=key)
    if details.reason in {Reason.ERROR, Reason.DEFAULT}:
        raise MissingError(f"flag {key} has no value: the provider hands out the default.", key=key)
    if type(details.value) is not kind:
        raise InvalidValue(f"flag {key} is {details.value!r}, no {kind.__name__}.", key=key)
    return details.value


def _refused(default: Any, code: ErrorCode, message: str) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(value=default, reason=Reason.ERROR, error_code=code, error_message=message)


def _other_scope(found: Hyperparams, asked: EvaluationContext | None) -> str:
    """Return what is wrong with an evaluation context; attributes that are no dimension do not matter."""
    for dimension in found.catalogues.dimensions:
        wanted = asked.attributes.get(dimension) if asked else None
        pinned = found.snapshot.context.get(dimension)
        if wanted not in (None, "", pinned):
            return f"the context asks for {dimension}={wanted}, the pinned snapshot is for {pinned or 'any'}."
    return ""


def _winner(found: Hyperparams, key: str) -> tuple[SnapshotLayer, bool]:
    """Return the layer a value came from, and whether it is an overlay."""
    first, *overlays = found.snapshot.layers
    return next(((layer, True) for layer in reversed(overlays) if key in layer.keys), (first, False))
