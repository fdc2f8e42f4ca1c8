"""TRAIN: everything outside the boosters that shapes a unit, read once from the pinned values.

Guarantees: each setting is a governed value of the catalogue ``cvntrade-training``; none has a default
here. Which keys a unit read is known to its ``Hyperparams``, so this is also how they count as read.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.results import Unit
from setpoint.train.features import FeatureSettings
from setpoint.train.labels import variant_name
from setpoint.train.tuning import TuningSettings

if TYPE_CHECKING:
    from setpoint.client.hyperparams import Hyperparams

_SEED_BITS = 31


class UnitPlace(NamedTuple):
    """What a unit is before its own values are known: those name its variant."""

    symbol: str
    model: str
    timeframe: str
    fold: int

    def unit(self, variant: str) -> Unit:
        """Return the unit that is trained here with one labelling."""
        return Unit(self.symbol, self.model, self.timeframe, variant, self.fold)


@dataclass(frozen=True)
class Recipe:
    """Typed reading of the training settings of one snapshot."""

    hp: Hyperparams

    def setting(self, name: str) -> Any:
        """Return the value of ``CVN_FTF_<NAME>``."""
        return self.hp.resolve(name)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the declared universe, in its order."""
        universes = {k: v for member in self.hp.catalogues.members for k, v in member.universes.items()}
        return universes[self.setting("universe")]

    @property
    def variant(self) -> str:
        """The name of the declared labelling."""
        return variant_name(
            self.setting("label_stop_atr"),
            self.setting("label_target_atr"),
            self.setting("label_horizon_hours"),
        )

    @property
    def features(self) -> FeatureSettings:
        """The windows of all features."""
        names = FeatureSettings.__dataclass_fields__
        return FeatureSettings(**{name: self.setting(f"feature_{name}") for name in names})

    @property
    def folds(self) -> dict[str, Any]:
        """The arguments of ``walk_forward``."""
        return {
            "folds": self.setting("fold_count"),
            "window": self.setting("fold_window"),
            "train_share": self.setting("fold_train_share"),
            "val_share": self.setting("fold_val_share"),
            "test_share": self.setting("fold_test_share"),
            "embargo_bars": self.setting("fold_embargo_bars"),
        }

    @property
    def threshold(self) -> dict[str, float]:
        """The arguments of ``best_threshold``."""
        return {name: self.setting(f"threshold_{name}") for name in ("low", "high", "step")}

    @property
    def costs_bps(self) -> dict[str, float]:
        """Round-trip cost assumptions by name, in basis points."""
        return {name: self.setting(f"cost_{name}_bps") for name in ("low", "mid", "high")}

    @property
    def verdict_rule(self) -> dict[str, Any]:
        """The rule that a canary verdict will judge the run by."""
        names = ("aggregation", "pass_f1", "pass_assets", "rollback_f1", "min_assets", "min_skill")
        return {name: self.setting(f"verdict_{name}") for name in names}

    def tuning(self, seed: int) -> TuningSettings:
        """The search budget and every setting of the sampler."""
        return TuningSettings(
            trials=self.setting("tuning_trials"),
            sampler=self.setting("tuning_sampler"),
            first_trial_is_default=self.setting("tuning_first_is_default"),
            seed=seed,
            n_startup_trials=self.setting("tpe_startup_trials"),
            n_ei_candidates=self.setting("tpe_ei_candidates"),
            multivariate=self.setting("tpe_multivariate"),
            group=self.setting("tpe_group"),
            prior_weight=self.setting("tpe_prior_weight"),
            consider_magic_clip=self.setting("tpe_magic_clip"),
            consider_endpoints=self.setting("tpe_endpoints"),
            gamma_share=self.setting("tpe_gamma_share"),
            gamma_cap=self.setting("tpe_gamma_cap"),
            full_weight_trials=self.setting("tpe_full_weight_trials"),
        )

    def places(self) -> tuple[UnitPlace, ...]:
        """Where units are trained: fold by fold, so that an early stop has seen every market."""
        parts = {part.name: part for member in self.hp.catalogues.members for part in member.parts}
        timeframe = self.setting("timeframe")
        return tuple(
            UnitPlace(symbol, model, timeframe, fold)
            for fold in range(self.setting("fold_count"))
            for symbol in self.symbols
            for model in parts["model"].tokens
        )


def unit_seed(seed: int, unit: Unit) -> int:
    """Return the unit's own seed: the same for the same run seed and unit, on every machine."""
    name = "|".join(map(str, (seed, *unit)))
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> (64 - _SEED_BITS)
