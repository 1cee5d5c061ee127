"""What a function is and what it reaches: source text and syntax. Runs nothing."""

from smttask.code.fingerprint import CodeFingerprint, changed_parts, fingerprint
from smttask.code.scope import CodeScope
from smttask.code.source import remember_sources, stale_files

__all__ = ["CodeFingerprint", "CodeScope", "changed_parts", "fingerprint", "remember_sources", "stale_files"]
