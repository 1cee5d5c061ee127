"""`find_rubbish` finds what killed runs and deleted results left, and nothing that anybody needs."""

import os
import subprocess
import sys
import time

import pytest

from smttask.care.clean import KINDS, find_rubbish, remove_rubbish
from smttask.care.verify import verify
from smttask.errors import InputError

KILLED = (
    "import os, tasks\n"
    "def die(n):\n"
    "    import smttask\n"
    "    (smttask.output_dir() / 'half.bin').write_bytes(b'x' * 5000)\n"
    "    os.kill(os.getpid(), 9)\n"
    "tasks.np.arange = die\n"
    "tasks.Ramp(7.0).run()"
)


def found(lab, **options):
    """Kind and name of all that is found, whatever its age."""
    rubbish = find_rubbish(lab.project, **{"older_than_s": 0, **options})
    return [(item.kind, os.path.basename(item.path)) for item in rubbish]


def test_a_healthy_project_has_none(lab):
    """Of no kind and age, with iterations and all."""
    lab.tasks.Grow(3).run()
    assert found(lab, kinds=KINDS) == []


def test_what_a_killed_run_left_is_removed(lab):
    """Its claim, the folder with what it wrote, and its lock; the results stay whole."""
    assert lab.scratch.run(KILLED, check=False).returncode == -9
    kinds = [kind for kind, _ in found(lab)]
    assert kinds == ["temporary", "temporary", "lock"]
    assert remove_rubbish(find_rubbish(lab.project, older_than_s=0)) >= 5000
    assert found(lab) == []
    assert lab.tasks.Ramp(7.0).run()[1] == 7.0


def test_what_a_living_run_writes_is_left_alone(lab):
    """However old it looks, as long as its process may live."""
    code = KILLED.replace(
        "os.kill(os.getpid(), 9)", "print('there', flush=True); import time; time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=lab.root, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "there\n"
            assert [kind for kind, _ in found(lab)] == ["lock"]
            remove_rubbish(find_rubbish(lab.project, older_than_s=0))
            assert [kind for kind, _ in found(lab)] == ["lock"]
        finally:
            child.kill()


def test_outputs_without_a_manifest_and_links_to_them_are_found(lab):
    """Who deletes a manifest by hand leaves these."""
    manifest, output = lab.ramp.resultpaths
    manifest.unlink()
    assert found(lab) == [("orphan", output.name), ("link", f"{lab.ramp.digest}.json")]
    remove_rubbish(find_rubbish(lab.project, older_than_s=0))
    assert not output.exists()
    assert found(lab) == []


def test_age_size_and_task_narrow(lab):
    """Only what is old, large and of the task is found."""
    manifest, output = lab.ramp.resultpaths
    manifest.unlink()
    assert found(lab, older_than_s=3600) == []
    os.utime(output, (time.time() - 7200,) * 2)
    assert found(lab, older_than_s=3600) == [("orphan", output.name)]
    assert found(lab, larger_than=200_000) == []
    assert found(lab, tasks=["Square"]) == []
    assert len(found(lab, tasks=["Ramp"], larger_than=100_000)) == 1


def test_a_task_that_is_not_there_is_told(lab):
    """With the one that is meant, where a letter is wrong."""
    with pytest.raises(InputError, match="There is no task 'Rmap'") as caught:
        found(lab, tasks=["Rmap"])
    assert "did you mean 'Ramp'?" in str(caught.value)


def test_half_a_backup_is_removed(lab):
    """What a merge leaves that is killed while it copies the record store; whole backups stay."""
    for name in (".records.20261122-101500.backup.part", "records.20261122-101500.backup"):
        (lab.root / ".smt" / name).write_bytes(b"")
    assert found(lab) == [("temporary", ".records.20261122-101500.backup.part")]


def test_what_was_kept_on_purpose_must_be_asked_for(lab):
    """Damaged results and values that did not fit."""
    lab.project.data.set_aside(lab.ramp.resultpaths[0])
    (lab.root / "data" / "run_dump" / "Ramp" / "20261122-101500-000000_3f9c1b_unfit.pickle").write_bytes(b"")
    assert found(lab) == [("link", f"{lab.ramp.digest}.json")]
    assert [kind for kind, _ in found(lab, kinds=["unfit", "damaged"])] == ["unfit", "damaged", "damaged"]


def test_links_stay_while_the_output_store_is_away(lab):
    """A disk that is not mounted is no reason to forget its results."""
    store = lab.root / "data" / "run_dump"
    store.rename(lab.root / "elsewhere")
    store.mkdir()
    assert found(lab) == []
    store.rmdir()
    (lab.root / "elsewhere").rename(store)
    assert verify(lab.project).problems == []


def test_files_of_the_user_are_no_rubbish(lab):
    """Only names that runs make are looked at."""
    for folder in ("run_dump/Ramp", "Ramp", "run_dump"):
        (lab.root / "data" / folder / "notes.txt").write_text("mine")
        (lab.root / "data" / folder / ".hidden").write_text("mine")
    assert found(lab, kinds=KINDS) == []


def test_what_cannot_be_removed_is_told(lab):
    """With its path and what to do."""
    from smttask.errors import StorageError

    manifest, output = lab.ramp.resultpaths
    manifest.unlink()
    rubbish = find_rubbish(lab.project, older_than_s=0, kinds=["orphan"])
    output.unlink()
    output.parent.rename(output.parent.with_name("moved"))
    output.parent.write_text("a file where the folder was")
    with pytest.raises(StorageError, match=f"Cannot remove {output}"):
        remove_rubbish(rubbish)
