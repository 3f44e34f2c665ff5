"""What the mark of a file lives through: a named ladder of treatments, each tried in a worker. Measured, never promised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from provenance import tasks, trials
from provenance.desk import Desk
from provenance.errors import InputError, UnsupportedMediaError
from provenance.soft_binding import binding
from provenance.trials import Medium, Trial
from provenance.trials_film import FILM
from provenance.trials_sound import SOUND
from provenance.verdict import iso

MEDIA: Mapping[str, Medium] = {**trials.MEDIA, "audio": SOUND, "video": FILM}
"""How each medium is tried, by the first half of a media type."""


@dataclass(frozen=True, slots=True)
class Step:
    """One treatment and what became of the mark."""

    name: str
    title: str
    trial: Trial = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        trial = self.trial
        return {
            "name": self.name,
            "title": self.title,
            "found": trial.found,
            "bit_errors": trial.bit_errors,
            "p_false": trial.p_false,
        }


@dataclass(frozen=True, slots=True)
class Survival:
    """A whole ladder, measured on one file.

    Attributes:
        alg: Of the mark.
        value: Its id, as a manifest writes it.
        marked_now: The file carried no mark of ours: a marked copy of it was tried.
        asset_id: The registered asset that the mark belongs to; None where there is none.
        picture: A small JPEG of what was treated.
    """

    ladder: str
    alg: str
    value: str
    marked_now: bool
    asset_id: str | None
    at: datetime
    steps: tuple[Step, ...]
    picture: bytes | None = field(default=None, repr=False)

    @property
    def passed(self) -> int:
        return sum(step.trial.found for step in self.steps)

    @property
    def sentence(self) -> str:
        """Such as "survives 31 of 32 steps; fails: crop-10"."""
        failed = [step.name for step in self.steps if not step.trial.found]
        return f"survives {self.passed} of {len(self.steps)} steps" + (f"; fails: {', '.join(failed)}" if failed else "")

    def as_dict(self) -> dict[str, Any]:
        """What is stored and served."""
        return {
            "asset_id": self.asset_id,
            "ladder": self.ladder,
            "alg": self.alg,
            "value": self.value,
            "measured_at": iso(self.at),
            "passed": self.passed,
            "of": len(self.steps),
            "steps": [step.as_dict() for step in self.steps],
        }


Progress = Callable[[int, int], None]


def survive(
    path: Path,
    desk: Desk,
    *,
    ladder: str | None,
    new_id: Callable[[], int],
    at: datetime,
    progress: Progress,
    pictures: bool = False,
) -> Survival:
    """Put a file through a ladder, and store the result with the asset that its mark belongs to.

    Args:
        path: The file; it is not touched.
        desk: Workers, keys of marks, and the registry.
        ladder: A name, or None for the medium's default.
        new_id: Makes the id for a file that carries none.
        at: Now.
        progress: Told how many steps of how many are done.
        pictures: Whether small pictures are wanted.
    Raises:
        InputError: the file cannot be read or decoded, or has no ladder, or none of that name.
        BudgetError: a step took too long.
    """
    medium = medium_of(path, desk.workers.run(tasks.kind, str(path)))
    course = course_of(path, medium, ladder)
    with tempfile.TemporaryDirectory(prefix="colophon-survive-") as folder:
        start = desk.workers.start_within(medium.seconds, medium.start, str(path), folder, desk.mark_keys, new_id()).result()
        keys = (desk.mark_keys[start.key_index],)
        waiting = [
            desk.workers.start_within(medium.seconds, medium.trial, folder, course.name, step.name, start.mark_id, keys, pictures)
            for step in course.steps
        ]
        steps: list[Step] = []
        for step, pending in zip(course.steps, waiting, strict=True):
            progress(len(steps), len(waiting))
            steps.append(Step(step.name, step.title, pending.result()))
    value = binding(medium.alg, start.mark_id).value
    asset_id = None if start.marked_now else _owner(path, medium.alg, value, desk)
    measured = Survival(course.name, medium.alg, value, start.marked_now, asset_id, at, tuple(steps), start.picture)
    if asset_id is not None and desk.registry is not None:
        desk.registry.keep_survival(asset_id, measured.ladder, measured.as_dict(), at=at)
    return measured


def medium_of(path: Path, media_type: str | None) -> Medium:
    """How a file of that type is tried. Raises UnsupportedMediaError."""
    found = MEDIA.get((media_type or "").partition("/")[0])
    if found is None:
        raise UnsupportedMediaError(str(path), f"no ladder for {media_type or 'files of an unknown kind'}")
    return found


def course_of(path: Path, medium: Medium, name: str | None) -> trials.Course:
    """A ladder by name, or the medium's default. Raises InputError."""
    known: Mapping[str, trials.Course] = medium.ladders
    chosen = next(iter(known)) if name is None else name
    if chosen not in known:
        raise InputError(str(path), f"has no ladder {chosen!r}; there is {', '.join(known)}")
    return known[chosen]


def _owner(path: Path, alg: str, value: str, desk: Desk) -> str | None:
    """The asset of exactly these bytes, else the first whose signed claim carries the mark."""
    if desk.registry is None:
        return None
    exact = desk.registry.by_sha256(desk.workers.run(tasks.probe, str(path)).sha256)
    if exact is not None:
        return exact.asset_id
    bound = desk.registry.by_binding(alg, value)
    return bound[0].asset_id if bound else None
