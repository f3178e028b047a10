"""Who asks, and whether that one may: the roles of the routes.

    @router.delete("/people/{name}")
    async def delete(name: str, caller: Admin, service: Serving) -> None: ...

Knows: callers, roles, tokens. Does not know: how often somebody may ask, where a request comes from (`guard`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from samevoice.service.keys import ROLES, WITHOUT_KEYS, Role
from samevoice.service.problems import Refusal
from samevoice.service.state import Service

SCHEME = HTTPBearer(
    scheme_name="key",
    description="An API key, made with `samevoice keys add`; not needed on a service that runs without keys.",
    auto_error=False,  # the guard has refused bad keys before the body was read; this is for the document
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Args:
        name: of the key; "local" on a service without keys.
        role: what this one may do.
        id: of the key, which no other key ever has, not even a later one of that name; "local" without keys.
    """

    name: str
    role: Role
    id: str = WITHOUT_KEYS

    @property
    def has_key(self) -> bool:
        """Whether this one can be told apart from others."""
        return self.id != WITHOUT_KEYS

    def may(self, role: Role) -> bool:
        """Whether this one may do what needs a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def caller_of_token(service: Service, token: str | None) -> Caller:
    """Who has that key.

    Args:
        service: which.
        token: as the client sent it; None for none.

    Raises:
        Refusal: 401, a key is needed and this is none.
    """
    if not service.keys.needed:
        return Caller(WITHOUT_KEYS, "admin")
    key = service.keys.find(token) if token else None
    if key is None:
        detail = "this key is not valid, or no longer" if token else "a key is needed"
        raise Refusal(
            401,
            "key",
            f"{detail}; send one as: Authorization: Bearer sv_...",
            headers={"WWW-Authenticate": 'Bearer realm="samevoice"'},
        )
    return Caller(key.name, key.role, key.id)


def needs(role: Role) -> Callable[..., Awaitable[Caller]]:
    """The dependency of a route that only a role may use; gives the caller.

    Args:
        role: the least that is needed.
    """

    async def check(request: Request, _: Annotated[object, Depends(SCHEME)]) -> Caller:
        caller = cast("Caller", request.scope["state"]["caller"])
        if not caller.may(role):
            raise Refusal(403, "role", f"this needs the role {role}; your key has the role {caller.role}")
        return caller

    return check


User = Annotated[Caller, Depends(needs("user"))]
Enroller = Annotated[Caller, Depends(needs("enroller"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
