"""Who plays: the photos in `media/`. Their sources and licences stand in `media/README.md`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from api.demo.pictures import Eyes


@dataclass(frozen=True, slots=True)
class Cast:
    """The photos of the story.

    Attributes:
        still: Signed and marked, then sent through a platform.
        portrait: Signed and marked too, then gets another face; `eyes` is where its own looks from.
        stranger: Another portrait, whose face is pasted; `other` is where that looks from.
        bystander: A photo that nobody ever signed.
    """

    still: Path
    portrait: Path
    eyes: Eyes
    stranger: Path
    other: Eyes
    bystander: Path


@contextmanager
def bundled() -> Iterator[Cast]:
    """The bundled photos as files, for as long as the block lasts: a package may lie in an archive."""
    media = resources.files("api.demo") / "media"
    with ExitStack() as stack:

        def photo(name: str) -> Path:
            return stack.enter_context(resources.as_file(media / name))

        yield Cast(
            still=photo("ice_cream.jpg"),
            portrait=photo("astronaut.png"),
            eyes=Eyes((203, 101), (247, 103)),
            stranger=photo("kodim04.png"),
            other=Eyes((220, 332), (350, 358)),
            bystander=photo("larch.jpg"),
        )
