"""SERVE: requests and answers of sessions, accounts, tokens and the access log, as types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from setpoint.serve.access.accounts import Role
from setpoint.serve.access.passwords import LONGEST
from setpoint.serve.models import Shape
from setpoint.serve.routes import Body

NewName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$", description="Lower case.")]
Password = Annotated[str, Field(max_length=LONGEST)]


class Login(Body):
    """An account with its password, or a one-time login."""

    account: Annotated[str, Field(max_length=64)] | None = None
    password: Password | None = None
    once: Annotated[str, Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.once is None) == (self.account is None and self.password is None) or (
            self.once is None and (self.account is None or self.password is None)
        ):
            raise ValueError("give account and password, or once")
        return self


class NewPassword(Body):
    """Another password; ``current`` is not needed after a one-time login."""

    current: Password = ""
    new: Password


class Proof(Body):
    """The caller's own password."""

    password: Password


class NewAccount(Body):
    """An account; it has no password yet."""

    name: NewName
    roles: list[Role] = Field(max_length=5)


Pattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^*]*\*?$")]


class Reach(Body):
    """How far a role reaches; a pattern is a name, or how names begin and a star. Nothing lifts the limit."""

    scopes: list[Pattern] = Field(default=[], max_length=100, description="Such as `symbol=*` or `global`.")
    catalogues: list[str] = Field(default=[], max_length=20, description="By name: their keys alone.")


class AccountChange(Body):
    """What is left out stays."""

    roles: list[Role] | None = Field(None, max_length=5)
    disabled: bool | None = None
    limits: dict[Literal["config_write", "approver"], Reach] | None = None


class Identity(Body):
    """A person at an identity provider."""

    issuer: str = Field(max_length=500)
    subject: str = Field(min_length=1, max_length=255)


class NewToken(Body):
    """A token of one's own, or, for an admin, of a robot."""

    label: str = Field(min_length=1, max_length=200, pattern=r"\S", description="What it is for.")
    days: int = Field(90, ge=1, le=366)
    account: NewName | None = None
    roles: list[Role] | None = Field(None, max_length=5, description="Left out: all of the account.")
    dimensions: list[str] | None = Field(
        None, max_length=100, description="It reads flags alone, asked by these, as `symbol` or `symbol=A`."
    )


class Rotation(Body):
    """How long the new token lives, and how long the old one works beside it."""

    days: int = Field(90, ge=1, le=366)
    overlap_s: int = Field(86400, ge=0, le=30 * 86400)


class SessionShape(Shape):
    """A session just opened."""

    account: str
    roles: list[Role]
    csrf_token: str
    expires_at: datetime


class MeShape(Shape):
    """Who a credential belongs to; a token has no `csrf_token`."""

    account: str
    roles: list[Role]
    csrf_token: str = ""
    expires_at: datetime
    kind: Literal["session", "token"]


class CreatedShape(Shape):
    """A new account."""

    name: str
    roles: list[Role]


class OnceShape(Shape):
    """A one-time login; shown here and never again."""

    once: str
    expires_at: datetime


class RotatedShape(Shape):
    """A new token and when the old one ends; its secret is told here and never again."""

    id: int
    account: str
    roles: list[Role]
    label: str
    expires_at: datetime
    old_ends_at: datetime
    token: str


class IssuedShape(Shape):
    """A new token; its secret is shown here and never again."""

    id: int
    account: str
    roles: list[Role]
    label: str
    expires_at: datetime
    token: str
