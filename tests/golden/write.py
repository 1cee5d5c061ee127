"""Write the golden project's results anew: ``python tests/golden/write.py``.

Only after a change of format, with a new number: stored results of users must stay found.
Prints the digests for tests/spec/test_golden.py. What the machine tells of itself is replaced
in the manifests.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from smttask.storage.manifest import compose, read_head, read_rest
from smttask.testing import scratch_project

HERE = Path(__file__).parent / "project-1"
NEUTRAL = {
    "commit": "0" * 40,
    "repository": ["/home/ann/lab", ""],
    "user": "Ann <ann@example.org>",
    "executable": ["/usr/bin/python3", "3.11.0"],
    "platform": {},
    "distributions": {"numpy": ["2.0.0", "/usr/lib/python3/numpy"]},
}


def main() -> None:
    """Run every golden task in a scratch project and keep its data."""
    for old in ("data", "descriptions"):
        shutil.rmtree(HERE / old, ignore_errors=True)
    files = {name: (HERE / name).read_text() for name in ("tasks.py", "input.txt")}
    with tempfile.TemporaryDirectory() as folder, scratch_project(Path(folder), files) as lab:
        for name, task in lab.load("tasks").golden_tasks().items():
            task.save(HERE / "descriptions" / f"{name}.json")
            task.run()
            sys.stdout.write(f'    "{name}": ("{task.digest}", "{task.full_digest}"),\n')
        changed = files["tasks.py"].replace("FACTOR = 2.0", "FACTOR = 3.0")
        lab.write({"tasks.py": changed})  # leaves older links to the results of the first code
        lab.reload("tasks").golden_tasks()["scalars"].run(recompute=True)
        for manifest in (lab.root / "data" / "run_dump").glob("[!.]*/*.json"):
            neutralize(manifest, lab.root)
        shutil.copytree(lab.root / "data", HERE / "data", symlinks=True)


def neutralize(manifest: Path, root: Path) -> None:
    """Write the manifest again with nothing of this machine in it."""
    head = read_head(manifest) if manifest.read_bytes().startswith(b'{"check"') else None
    if head is None:  # an output in a JSON file of its own
        return
    rest = json.loads(json.dumps(read_rest(head)).replace(str(root), "/home/ann/lab"))
    rest |= {key: value for key, value in NEUTRAL.items() if key in rest}
    fields = {name: getattr(head, name) for name in ("label", "task", "digest", "full_digest", "code")}
    _, text = compose(**fields, outputs=head.outputs, rest=rest, file=str(manifest))
    manifest.write_bytes(text)


if __name__ == "__main__":
    main()
