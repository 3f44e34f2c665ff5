"""Several files in one run: go on after a bad one, keep what is done when stopped, leave with the gravest code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from api.cli.app import ERROR, STOPPED
from api.cli.errors import Problem, describe
from api.cli.terminal import Terminal
from provenance.verdict import gravest

T = TypeVar("T")


@dataclass
class Batch(Generic[T]):
    """What became of each file, in the order given; a file has a value or a problem."""

    done: list[tuple[Path, T]] = field(default_factory=list)
    failed: list[tuple[Path, Problem]] = field(default_factory=list)
    order: list[Path] = field(default_factory=list)
    stopped: bool = False

    def exit_code(self, code: Callable[[T], int]) -> int:
        if self.stopped:
            return STOPPED
        return gravest([code(value) for _, value in self.done] + [ERROR] * len(self.failed))

    def results(self, plain: Callable[[T], dict[str, Any]]) -> list[dict[str, Any]]:
        """For JSON: `{"path": …, "error": …}` or `{"path": …, **plain(value)}`."""
        values, problems = dict(self.done), dict(self.failed)
        return [
            {"path": str(path), **plain(values[path])}
            if path in values
            else {"path": str(path), "error": problems[path].as_dict()}
            for path in self.order
        ]


def each(terminal: Terminal, what: str, paths: Sequence[Path], work: Callable[[Path], T]) -> Batch[T]:
    """Do the work for every path; errors become one line on standard error at once."""
    batch: Batch[T] = Batch()
    try:
        with terminal.progress(what, len(paths)) as begin:
            for path in unique(paths):
                begin(path.name)
                _one(terminal, path, work, batch)
    except KeyboardInterrupt:
        terminal.complain("stopped; what was finished is kept")
        batch.stopped = True
    return batch


def _one(terminal: Terminal, path: Path, work: Callable[[Path], T], batch: Batch[T]) -> None:
    try:
        batch.done.append((path, work(path)))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  -- one bad file must not stop the others; describe() names faults of ours
        problem = describe(error)
        terminal.complain(problem.line if problem.where else f"{path}: {problem.say}")
        batch.failed.append((path, problem if problem.where else Problem(problem.code, problem.say, str(path))))
    batch.order.append(path)


def unique(paths: Iterable[Path]) -> list[Path]:
    """Each path once, in the order first named."""
    return list(dict.fromkeys(paths))
