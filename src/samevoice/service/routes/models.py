"""Which models there are, under which licences, and which one this service uses."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel, Field

from samevoice.models import store
from samevoice.models.card import ModelCard
from samevoice.service.access import User
from samevoice.service.problems import PROBLEMS
from samevoice.service.state import Serving

router = APIRouter(tags=["models"], responses=PROBLEMS)


class LicencesBody(BaseModel):
    """Terms of the three parts of a model."""

    code: str = Field(examples=["Apache-2.0"])
    weights: str = Field(examples=["Apache-2.0"])
    data: str = Field(examples=["VoxCeleb"])


class ModelBody(BaseModel):
    """What a model is."""

    name: str = Field(examples=["campplus"])
    kind: str = Field(examples=["speaker-embedding"])
    summary: str = Field(examples=["CAM++, 192-d: Mandarin and English"])
    fingerprint: str = Field(examples=["campplus@0123456789abcdef"])
    rate: int = Field(description="Sample rate in Hz.", examples=[16_000])
    dimension: int = Field(description="Of its embeddings; 0 if it makes none.", examples=[192])
    licences: LicencesBody
    installed: bool = Field(description="Whether it lies on this machine, undamaged.")
    used: bool = Field(description="Whether this service decides with it.")


@router.get("/models", summary="Which models are there?", operation_id="models")
async def models(_: User, service: Serving) -> list[ModelBody]:
    """The models that samevoice knows, and the one that this service uses, even if it comes from a file."""
    return await service.pool.run(partial(_listed, service.gallery.model.card))


def _listed(used: ModelCard) -> list[ModelBody]:
    """All cards; reading whole files takes a moment."""
    states = {name: store.status(name).state for name in store.names()}
    found = [_body(store.card_of(name), used, installed=state == "installed") for name, state in states.items()]
    if not any(one.used for one in found):
        found.insert(0, _body(used, used, installed=True))
    return found


def _body(card: ModelCard, used: ModelCard, *, installed: bool) -> ModelBody:
    licences = LicencesBody(code=card.licences.code, weights=card.licences.weights, data=card.licences.data)
    return ModelBody(
        name=card.name,
        kind=card.kind,
        summary=card.summary,
        fingerprint=card.fingerprint,
        rate=card.rate,
        dimension=card.dimension,
        licences=licences,
        installed=installed,
        used=card.fingerprint == used.fingerprint,
    )
