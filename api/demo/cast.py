"""Who plays: the photos, the recording and the film in `media/`. Their sources and licences stand in `media/README.md`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from api.demo.pictures import Eyes
from api.demo.sounds import Words


@dataclass(frozen=True, slots=True)
class Cast:
    """The photos, the recording and the film of the story.

    Attributes:
        still: Signed and marked, then sent through a platform.
        portrait: Signed and marked too, then gets another face; `eyes` is where its own looks from.
        stranger: Another portrait, whose face is pasted; `other` is where that looks from.
        bystander: A photo that nobody ever signed.
        speech: A recording that is signed and marked, sent as a voice note, and then says its words in another order.
        words: Which of them.
        film: Signed and marked, uploaded, and then uploaded with another scene in it.
        replaced: Where that lies, in seconds.
    """

    still: Path
    portrait: Path
    eyes: Eyes
    stranger: Path
    other: Eyes
    bystander: Path
    speech: Path
    words: Words
    film: Path
    replaced: tuple[float, float]


@contextmanager
def bundled() -> Iterator[Cast]:
    """The bundled media as files, for as long as the block lasts: a package may lie in an archive."""
    media = resources.files("api.demo") / "media"
    with ExitStack() as stack:

        def file(name: str) -> Path:
            return stack.enter_context(resources.as_file(media / name))

        yield Cast(
            still=file("ice_cream.jpg"),
            portrait=file("astronaut.png"),
            eyes=Eyes((203, 101), (247, 103)),
            stranger=file("kodim04.png"),
            other=Eyes((220, 332), (350, 358)),
            bystander=file("larch.jpg"),
            speech=file("inaugural.flac"),
            words=Words(over=3.2, taken=8.0, seconds=2.6),
            film=file("meadow.mp4"),
            replaced=(1.6, 4.1),
        )
