from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from smttask.code.fingerprint import CodeFingerprint, changed_parts, fingerprint
from smttask.code.scope import CodeScope


class Modules:
    """Modules in a folder of their own, written, loaded as in a fresh process, and forgotten again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scope = CodeScope(root)

    def write(self, **texts: str) -> None:
        """Write `a__b=…` to the file a/b.py."""
        for name, text in texts.items():
            path = self.root / (
                name.replace("__", "/", 1) + ".py" if not name.startswith("__") else name + ".py"
            )
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")

    def load(self, name: str = "main") -> ModuleType:
        self.forget()
        importlib.invalidate_caches()
        return importlib.import_module(name)

    def forget(self) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(self.root)):
                del sys.modules[name]

    def fingerprint(self, name: str = "f") -> CodeFingerprint:
        """Of `main.f`, all modules freshly loaded."""
        return fingerprint(getattr(self.load(), name), self.scope)

    def changes(self, **texts: str) -> list[str]:
        """What a fresh process finds changed in `main.f` when files say `texts`."""
        before = self.fingerprint()
        self.write(**texts)
        return changed_parts(before.parts, self.fingerprint().parts)


@pytest.fixture
def modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Modules(tmp_path)
    yield made
    made.forget()
