"""Why a task would be found or computed: what `task.explain()` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Difference", "Explanation"]

Kind = Literal["input", "default", "code", "upstream", "package"]
MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is another than in the run that a task is compared with.

    Parameters
    ----------
    kind
        ``"input"``; ``"default"``: an input that stood and stands at its default; ``"code"``: a function,
        class or constant; ``"upstream"``: the code of a task among the inputs; ``"package"``.
    name
        Place of an input, such as ``"model.sigma"``; ``"module:qualname"`` of code; name of a package.
    old, new
        Values and versions as text; of code the first digits of its fingerprint, empty where there is none.
    within
        The upstream task that the code belongs to; empty for the task's own.
    """

    kind: Kind
    name: str
    old: str
    new: str
    within: str = ""

    def __str__(self) -> str:
        if self.kind in ("code", "upstream"):
            change = "changed" if self.old and self.new else "added" if self.new else "removed"
            return f"{self.name} {change}" + (f" (in upstream task {self.within})" if self.within else "")
        if self.kind == "package":
            return f"{self.name} {self.old} -> {self.new}"
        return f"{self.name}: {self.old} -> {self.new}" + (" (default)" if self.kind == "default" else "")


@dataclass(frozen=True, repr=False)
class Explanation:
    """Whether `run()` would find the result of a task, and why; print it.

    Parameters
    ----------
    task, digest
        Of the task in question.
    hit
        Whether the result would be loaded and not computed.
    reason
        Why, in one line.
    differences
        From the stored result, or from the nearest earlier run if there is none: inputs, code and
        packages. Those that decided stand in `reason`; the others are for information.
    label
        The run compared with; empty if there is none.
    where
        ``"memory"`` or ``"disk"``; empty for a miss.

    Examples
    --------
    >>> print(Explanation("Square", "3f9c1b", False, "never run"))
    miss  Square (3f9c1b): never run
    """

    task: str
    digest: str
    hit: bool
    reason: str
    differences: Sequence[Difference] = ()
    label: str = ""
    where: str = ""

    @property
    def details(self) -> list[str]:
        """The differences, and the run that they are from, a line each."""
        lines = [str(difference) for difference in self.differences[:MAX_SHOWN]]
        if (n_more := len(self.differences) - len(lines)) > 0:
            lines.append(f"and {n_more} more")
        return [f"compared with {self.label}", *lines] if lines and self.label else lines

    def __str__(self) -> str:
        first = f"{'hit' if self.hit else 'miss':<5} {self.task} ({self.digest}): {self.reason}"
        return "\n  ".join([first, *self.details])

    __repr__ = __str__

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {**vars(self), "differences": [asdict(difference) for difference in self.differences]}
