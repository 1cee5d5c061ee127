"""Results of several files: figures as PNG and SVG."""

import json

import pytest

from smttask.errors import DamagedResultError
from smttask.storage.manifest import read_head
from smttask.typing import Figure

FIGURE = Figure(b"\x89PNG picture", "<svg>picture</svg>")


def test_a_figure_is_two_files_that_people_can_open(scratch):
    """The PNG and the SVG stand beside the manifest, which names both with their checksums."""
    head = scratch.put(FIGURE)
    names = [path.rpartition("_")[2] for path in scratch.files() if "run_dump" in path]
    assert sorted(names) == ["3f9c1b.json", "result.png", "result.svg"]
    assert [name.rpartition(".")[2] for name, _, _ in head.outputs[""].files] == ["png", "svg"]
    assert (head.path.parent / head.outputs[""].also[0][0]).read_text() == FIGURE.svg
    assert read_head(head.file).outputs == head.outputs
    assert scratch.value() == FIGURE


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("change", ["cut", "flip"])
def test_damage_in_either_file_is_noticed(scratch, suffix, change):
    """A cut or changed PNG or SVG is never returned."""
    head = scratch.put(FIGURE)
    path = next(head.path.parent.glob(f"*{suffix}"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] if change == "cut" else b"#" + data[1:])
    if change == "cut":
        assert scratch.find() is None
        assert len(scratch.told) == 1
    else:
        with pytest.raises(DamagedResultError, match="checksum does not fit"):
            scratch.value()


def test_a_deleted_file_is_an_ordinary_miss(scratch):
    """Without its SVG a figure counts as deleted."""
    head = scratch.put(FIGURE)
    next(head.path.parent.glob("*.svg")).unlink()
    assert scratch.find() is None
    assert scratch.told == []


def test_files_of_several_figures_keep_apart(scratch, key):
    """Outputs whose names differ by case only, or by an ending, have files of their own."""
    other = Figure(b"other", "<svg>other</svg>")
    from datetime import UTC, datetime

    with scratch.store.start(key, datetime(2026, 11, 22, tzinfo=UTC)) as run:
        for name, figure in (("plot", FIGURE), ("Plot", other), ("plot-2", FIGURE)):
            run.save_output(name, figure)
        head = run.commit(task="lab.Analyze", code="c" * 40, rest={})
    assert scratch.store.load_output(head, "plot") == scratch.store.load_output(head, "plot-2") == FIGURE
    assert scratch.store.load_output(head, "Plot") == other


def test_a_manifest_cannot_name_a_companion_elsewhere(scratch):
    """A file outside the folder of the result is damage, like any other."""
    from smttask.storage.manifest import BODY_START, CHECK_BYTES, PREFIX

    head = scratch.put(FIGURE)
    first, _, rest = head.path.read_bytes().partition(b"\n")
    fields = json.loads(first)
    fields["outputs"][""]["also"][0][0] = "../../x.svg"
    del fields["check"]
    from blake3 import blake3

    body = json.dumps(fields)[1:].encode()
    check = blake3(body).hexdigest(length=CHECK_BYTES).encode()
    head.path.write_bytes(PREFIX + check + b'", ' + body + b"\n" + rest)
    assert len(PREFIX + check + b'", ') == BODY_START
    assert scratch.find() is None
    assert "outside its folder" in scratch.told[0][1]
