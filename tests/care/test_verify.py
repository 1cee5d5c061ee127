"""`verify` tells of everything that is not as it was written, and changes nothing."""

import os
import subprocess
import sys

from smttask import config
from smttask.care.verify import verify
from smttask.project import use_project
from smttask.testing import scratch_project


def only(project, **options):
    """The one problem there is."""
    (problem,) = verify(project, **options).problems
    return problem


def test_a_healthy_project_has_no_problem(lab):
    """All that a run leaves is looked at and found whole."""
    done = verify(lab.project)
    assert (done.n_results, done.n_links, done.n_records, done.problems) == (3, 3, 3, [])


def test_a_changed_byte_is_found(lab):
    """The checksum of each file counts; sizes alone do not tell."""
    path = lab.ramp.outputpaths[""]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    problem = only(lab.project)
    assert (problem.kind, problem.what, problem.found) == ("result", str(path), "its checksum does not fit")
    assert verify(lab.project, only_sizes=True).problems == []
    assert path.exists()


def test_a_cut_and_a_missing_file_are_found_by_their_size(lab):
    """Also without checksums."""
    path = lab.ramp.outputpaths[""]
    path.chmod(0o644)
    os.truncate(path, 100)
    assert only(lab.project, only_sizes=True).found == "it has 100 bytes instead of 160128"
    path.unlink()
    assert only(lab.project, only_sizes=True).found == "No such file or directory"


def test_a_damaged_manifest_is_told_with_the_link_to_it(lab):
    """A manifest is checked to its last byte."""
    path = lab.four.outputpaths[""]
    path.write_bytes(path.read_bytes().replace(b"squaring", b"sQuaring"))
    found = {problem.kind: problem.found for problem in verify(lab.project).problems}
    assert found["result"] == "the checksum of its rest does not fit"
    assert found["link"].startswith("it leads to a damaged result")


def test_links_that_lead_to_nothing_or_to_another_result_are_told(lab):
    """What a link is called says what it must lead to."""
    three, four = sorted((lab.root / "data" / "Square").glob("*.json"))
    target = os.readlink(three)
    three.unlink()
    three.symlink_to(os.readlink(four))
    assert only(lab.project).found.startswith("it leads to a result of Square")
    three.unlink()
    three.symlink_to(f"{target}x")
    assert only(lab.project).found == "it leads to a result that is not there"


def test_records_and_manifests_are_compared(lab):
    """A record whose result is gone, and a result without a record."""
    manifest, output = lab.ramp.resultpaths
    output.unlink()
    manifest.unlink()
    (lab.root / "data" / "Ramp" / f"{lab.ramp.digest}.json").unlink()
    assert only(lab.project).found == f"its result is not there: Ramp/{manifest.name}"
    lab.project.records.close()
    for path in (lab.root / ".smt").glob("records*"):
        path.unlink()
    assert {problem.found for problem in verify(lab.project).problems} == {"there is no record store"}
    assert not (lab.root / ".smt" / "records").exists()


def smt_tag(lab, *arguments):
    command = [sys.executable, "-m", "smttask", "smt", "tag", *arguments, lab.ramp.record.label]
    subprocess.run(command, cwd=lab.root, check=True)


def test_a_record_whose_status_was_removed_is_told(lab):
    """Sumatra's own tools can do that; no filter by status would find it any more."""
    label = lab.ramp.record.label
    smt_tag(lab, "-r", "_finished_")
    problem = only(lab.project)
    assert (problem.kind, problem.what) == ("record", label)
    assert problem.found == (
        "it was closed, and its status was removed since; its result says that it finished: "
        f"`smt tag _finished_ {label}` gives it back"
    )
    smt_tag(lab, "_finished_")
    assert verify(lab.project).problems == []


def test_a_record_without_status_may_have_no_result_that_tells_it(lab):
    """Then nobody knows what became of the run."""
    smt_tag(lab, "-r", "_finished_")
    for path in lab.ramp.resultpaths:
        path.unlink()
    lab.ramp.invalidate()
    assert only(lab.project).found == "it was closed, and its status was removed since"


def test_files_of_the_user_in_the_input_store_are_passed_over(lab):
    """The input store may hold data of any kind."""
    (lab.root / "data" / "raw").mkdir()
    (lab.root / "data" / "raw" / "table.json").write_text("{}")
    (lab.root / "data" / "notes.json").write_text("[")
    (lab.root / "data" / "circle").symlink_to("circle")
    assert verify(lab.project).problems == []


def test_results_that_another_working_copy_keeps_are_counted(lab, tmp_path):
    """Two copies of a project with one list of records; what is missing in its own copy is a problem."""
    files = {"tasks.py": (lab.root / "tasks.py").read_text()}
    store = lab.root / ".smt" / "records"
    with (
        scratch_project(tmp_path / "copy", files) as copy,
        use_project(copy.project),
        config.use(record_store=store),
    ):
        ours = copy.load("tasks").Square(7.0)
        ours.run()
        done = verify(copy.project)
        assert (done.n_records, done.problems) == (1, [])
        assert done.elsewhere == {str(lab.project.data.output_dir): 3}
        for path in ours.resultpaths:
            path.unlink()
        found = [problem.found for problem in verify(copy.project).problems]
    assert found[-1].startswith("its result is not there: Square/")
