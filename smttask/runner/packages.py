"""Versions of the packages that a result was made with, beside those of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smttask.records.provenance import installed_versions

__all__ = ["changed_packages"]


def changed_packages(rest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, old and new version of every package that a run imported and that is another one now.

    Packages imported since are no change. One that is not installed any more has the new
    version ``"not installed"``.

    Parameters
    ----------
    rest
        Of the manifest of the run.

    Examples
    --------
    >>> changed_packages({"distributions": {"no-such-package": ["1.0", ""]}})
    [('no-such-package', '1.0', 'not installed')]
    """
    recorded = {name: facts[0] for name, facts in rest.get("distributions", {}).items()}
    now = installed_versions(recorded)
    return [
        (name, version, now[name] or "not installed")
        for name, version in recorded.items()
        if now[name] != version
    ]
