"""The registry of engines, by the algorithm name that a manifest's soft binding carries.

An engine is a value with a name, a medium, `embed` and `detect`; whoever has one registers it. Arrays differ by medium: see
`watermark.image` for pictures (uint8 or uint16, (H, W[, 3 or 4])).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from watermark import image
from watermark.detection import Detection
from watermark.errors import UnknownEngineError


class Engine(Protocol):
    """What a mark's engine offers.

    Attributes:
        alg: Reverse-domain name, as in C2PA's soft binding algorithm list.
        medium: "image", "audio" or "video".
        embed: `embed(samples, mark_id, *, key, strength=None)` returns marked samples of the same shape and type.
        detect: `detect(samples, *, keys)` looks blindly and returns a `Detection`.
    """

    @property
    def alg(self) -> str: ...

    @property
    def medium(self) -> str: ...

    @property
    def embed(self) -> Callable[..., Any]: ...

    @property
    def detect(self) -> Callable[..., Detection]: ...


@dataclass(frozen=True, slots=True)
class FunctionEngine:
    """An engine made of two functions."""

    alg: str
    medium: str
    embed: Callable[..., Any]
    detect: Callable[..., Detection]


_engines: dict[str, Engine] = {}


def register(engine: Engine) -> None:
    """Add an engine; the first of a medium is its default.

    Raises:
        ValueError: another engine has that name.
    """
    if _engines.setdefault(engine.alg, engine) is not engine:
        raise ValueError(f"{engine.alg} is registered already")


def get(alg: str) -> Engine:
    """Return the engine of a name.

    Raises:
        UnknownEngineError: there is none.
    """
    try:
        return _engines[alg]
    except KeyError:
        raise UnknownEngineError(alg) from None


def default(medium: str) -> Engine:
    """Return the engine that marks a medium unless another is asked for.

    Raises:
        UnknownEngineError: no engine of that medium.
    """
    for engine in _engines.values():
        if engine.medium == medium:
            return engine
    raise UnknownEngineError(medium)


def all() -> tuple[Engine, ...]:  # noqa: A001 - reads as engines.all()
    """Return every engine, in order of registration."""
    return tuple(_engines.values())


register(FunctionEngine(image.ALGORITHM, "image", image.embed, image.detect))
