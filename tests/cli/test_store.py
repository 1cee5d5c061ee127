"""`smttask store` as a user and a script meet it."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from smttask.cli import main
from smttask.errors import RecordStoreWarning

LARGE = """
from smttask import RecordedTask
from smttask.typing import Array

@RecordedTask
def Total(values: Array) -> float:
    return float(values.sum())
"""


@pytest.fixture
def lab(laboratory):
    """A project with three finished runs and a crashed one."""
    tasks = laboratory.load("tasks")
    tasks.Ramp(tasks.Square(2.0, reason="a, first <look>")).run()
    tasks.Square(3.0).run()
    with pytest.raises(ValueError, match="negative"):
        tasks.Square(-1.0).run()
    return laboratory


def store(*args, status=0):
    """What `smttask store ARGS` prints; its exit status is as expected, its errors no traceback."""
    done = CliRunner().invoke(main, ["store", *args])
    assert done.exit_code == status, (done.stdout, done.stderr, done.exception)
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def lines(text):
    """The objects in JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def test_verify_tells_what_is_wrong_and_fails_then(lab):
    """A script goes by the exit status, a reader by the lines."""
    assert store("verify") == "3 results, 0 values, 3 links, 3 records: no problem\n"
    (path,) = (lab.root / "data" / "run_dump" / "Ramp").glob("*.npy")
    path.unlink()
    told = store("verify", status=1)
    assert told.splitlines()[0] == f"result  {path}: No such file or directory"
    assert told.splitlines()[1].endswith(": 1 problem")
    facts = json.loads(store("verify", "--json", status=1))
    assert facts["problems"] == [{"kind": "result", "what": str(path), "found": "No such file or directory"}]


def test_rebuild_tells_what_it_made(lab):
    """With --dry-run what it would make."""
    (link,) = (lab.root / "data" / "Ramp").glob("*.json")
    link.unlink()
    shown = os.path.relpath(link, lab.root)
    assert store("rebuild", "--dry-run") == f"link    {shown}\nwould make 1 links, 0 records\n"
    assert not link.exists()
    assert store("rebuild") == f"link    {shown}\nmade 1 links, 0 records, closed 0 records\n"
    assert link.exists()
    assert json.loads(store("rebuild", "--json"))["links"] == []


def test_rebuild_takes_journals_in_and_makes_this_host_the_one_that_writes(lab):
    """Where another host writes the record store, it is refused until --here."""
    code = "import tasks; tasks.Square(8.0).run()"
    lab.run(code, SMTTASK_RECORD_STORE="journal")
    home = lab.root / ".smt" / "home"
    home.write_text("")
    other = {"name": "server", "machine": "m", "boot": "b", "addresses": []}
    home.write_text(json.dumps({"host": other, "inode": home.stat().st_ino}))
    with pytest.warns(RecordStoreWarning):
        assert "the record store is written by server" in store("rebuild", status=1)
    told = store("rebuild", "--here").splitlines()
    assert re.fullmatch(r"journal \d{8}-\d{6}-\d{6}_[0-9a-f]{6}", told[0])
    assert told[1:] == ["made 0 links, 1 records, closed 0 records"]
    assert store("verify").endswith("no problem\n")


def test_rebuild_names_manifests_that_it_cannot_use(lab):
    """And fails, although the rest was done."""
    (link,) = (lab.root / "data" / "Ramp").glob("*.json")
    manifest = link.resolve()
    manifest.write_text("{}")
    assert f"not used: {manifest}: cut within its first line" in store("rebuild", status=1)


def test_list_shows_the_newest_records_first(lab):
    """A table for people, a line of JSON each for scripts."""
    told = store("list").splitlines()
    assert told[0].split() == ["label", "task", "started", "duration", "status", "reason"]
    assert [line.split()[1] for line in told[1:5]] == ["Square", "Square", "Ramp", "Square"]
    assert "a, first <look>" in told[4]
    assert told[-1] == "4 records"
    assert store("list", "-n", "1").splitlines()[-1] == "4 records; 1 shown, --all shows the others"
    found = lines(store("list", "--json", "--all"))
    assert [item["status"] for item in found] == ["crashed", "finished", "finished", "finished"]


@pytest.mark.parametrize(
    ("options", "n"),
    [
        (["--task", "Square"], 3),
        (["--task", "Square", "--task", "Ramp"], 4),
        (["--task", "tasks.Ramp"], 1),
        (["--status", "crashed"], 1),
        (["--param", "x=3.0"], 1),
        (["--param", "n=20000", "--task", "Square"], 0),
        (["--since", "2000"], 4),
        (["--before", "2000"], 0),
        (["--label", "2*"], 4),
        (["--tag", "none"], 0),
    ],
)
def test_filters_of_list(lab, options, n):
    """Each option narrows; together they narrow more."""
    assert len(lines(store("list", "--json", *options))) == n


def test_show_takes_the_beginning_of_a_label(lab):
    """What was printed is part of it; --json has every field."""
    label = lines(store("list", "--json", "--param", "x=3.0"))[0]["label"]
    told = store("show", label[:-1])
    assert told.startswith(f"{label}\n")
    assert "    squaring\n" in told
    facts = json.loads(store("show", label, "--json"))
    assert facts["stdout_stderr"] == "squaring\n"
    assert facts["output_data"][0]["path"] == f"Square/{label}.json"
    assert "There is no record 'nothing'." in store("show", "nothing", status=1)
    assert "More than one record" in store("show", label[:4], status=1)


def test_find_output_knows_files_links_and_copies(lab, tmp_path):
    """By its name in the store, through a link, and by its content anywhere else."""
    (array,) = (lab.root / "data" / "run_dump" / "Ramp").glob("*.npy")
    (link,) = (lab.root / "data" / "Ramp").glob("*.json")
    copy = tmp_path / "figure 3.npy"
    shutil.copyfile(array, copy)
    found = lines(store("find-output", "--json", str(array), str(link), str(copy)))
    assert [item["output"] for item in found] == ["", None, ""]
    assert {item["label"] for item in found} == {link.resolve().stem}
    assert {item["task"] for item in found} == {"Ramp"}


def test_find_output_says_what_no_run_made(lab, tmp_path):
    """A strange file, and one that is not there."""
    np.save(tmp_path / "other.npy", np.ones(3))
    told = store("find-output", str(tmp_path / "other.npy"), str(tmp_path / "gone"), status=1)
    assert f"No stored run made {tmp_path / 'other.npy'}." in told
    assert f"There is no file {tmp_path / 'gone'}." in told
    assert f"looked at: {os.path.realpath(tmp_path)} (a folder)" in store(
        "find-output", str(tmp_path), status=1
    )


def test_export_as_json_has_everything(lab, tmp_path):
    """One array that any program reads."""
    found = json.loads(store("export"))
    assert len(found) == 4
    assert found[-1]["reason"] == "a, first <look>"
    assert {"parameters", "dependencies", "platform", "stdout_stderr"} <= found[0].keys()
    assert json.loads(store("export", "--task", "Nothing")) == []


def test_export_as_csv_has_a_column_for_each_input(lab, tmp_path):
    """Commas and all are quoted; the ending of the file, or --format, tells the format."""
    path = tmp_path / "runs.csv"
    assert store("export", str(path), "--status", "finished") == f"wrote 3 records to {path}\n"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert rows[0]["x"] == "3.0"
    assert rows[-1]["reason"] == "a, first <look>"
    assert [row["n"] for row in rows] == ["", "20000.0", ""]
    assert store("export", "--format", "csv", "--status", "finished") == path.read_text()
    chosen = store("export", "--format", "csv", "--task", "Ramp", "--inputs", "n, x.x")
    assert next(csv.DictReader(io.StringIO(chosen)))["x.x"] == "2.0"
    assert chosen.splitlines()[0].endswith("user,n,x.x")


def test_export_to_where_nothing_can_be_written(lab):
    """One message that names the file, or its ending."""
    assert "/nowhere/x.csv: No such file" in store("export", "/nowhere/x.csv", status=1)
    assert "found: the ending '.xls'" in store("export", "runs.xls", status=1)
    assert "cannot be chosen for JSON" in store("export", "--inputs", "x", status=1)


def test_a_parameter_without_a_value_is_wrong_usage(lab):
    """It says how to write one."""
    assert "'x' is no comparison" in store("list", "--param", "x", status=2)


def test_every_command_has_an_example():
    """`--help` shows how it is called."""
    from smttask.cli.store import store as group

    for name in group.commands:
        assert f"smttask store {name}" in store(name, "--help")


def test_clean_asks_before_it_removes(lab):
    """Without a terminal --yes is the answer; --dry-run needs none."""
    assert store("clean") == "nothing to remove\n"
    (manifest,) = (path for path in (lab.root / "data/run_dump/Ramp").glob("*.json"))
    manifest.unlink()
    told = store("clean", "--older-than", "0s", "--dry-run")
    assert [line.split()[0] for line in told.splitlines()] == ["orphan", "link", "would"]
    refused = store("clean", "--older-than", "0", status=1)
    assert "Remove 2 items, 160.1 kB? Nobody answered, and nothing was removed." in refused
    assert "give --yes" in refused
    assert json.loads(store("clean", "--older-than", "0", "--json", "--dry-run"))["removed"] is False
    assert "removed 2 items" in store("clean", "--older-than", "0", "--yes")
    assert store("clean", "--older-than", "0", "--damaged", "--unfit") == "nothing to remove\n"


def test_clean_removes_values_that_nothing_names_when_it_is_asked_to(lab):
    """Large inputs stay behind when all that names them is deleted."""
    lab.write({"large.py": LARGE})
    lab.run("import large, numpy as np; large.Total(np.arange(20_000.0)).run()")
    (value,) = (lab.root / "data" / "run_dump" / ".values").glob("*.npy")
    os.utime(value, (0, 0))
    store("delete", "since", "2000", "--task", "Total", "--yes")
    assert store("clean") == "nothing to remove\n"
    told = store("clean", "--values", "--yes")
    assert re.fullmatch(rf"value +160\.1 kB +{value}\nremoved 1 item, 160\.1 kB\n", told)
    assert not value.exists()


def test_clean_takes_sizes_as_people_write_them(lab):
    """And says what is none."""
    assert store("clean", "--larger-than", "1.5MB") == "nothing to remove\n"
    assert "'big' is no size; write it as 512, 10kB, 1.5MB or 2GB" in store(
        "clean", "--larger-than", "big", status=2
    )


def test_delete_tells_what_goes_and_what_is_kept(lab):
    """A result that another one needs stays, with the reason."""
    items = lines(store("list", "--json"))
    first, ramp = items[3]["label"], items[2]["label"]
    store("delete", "record", first, "--dry-run")
    told = store("delete", "record", first, "--yes", status=1)
    assert told == f"keep    {first}: result {ramp} was computed from it\nnothing deleted\n"
    told = store("delete", "record", first, ramp, "--dry-run")
    assert re.match(r"would delete 2 records, 2 with results of 1\d\d\.\d kB", told.splitlines()[-1])
    assert "Nobody answered" in store("delete", "record", first, ramp, status=1)
    assert len(lines(store("list", "--json"))) == 4
    assert json.loads(store("delete", "record", first, ramp, "--yes", "--json"))["deleted"] is True
    assert len(lines(store("list", "--json"))) == 2
    assert "There is no record 'nothing'." in store("delete", "record", "nothing", "--yes", status=1)


def test_delete_refuses_a_run_that_is_going_on(lab):
    """By its label it is an error, and nothing else is deleted either; filters leave it out."""
    items = lines(store("list", "--json"))
    record = lab.project.records.get(items[0]["label"])
    lab.project.records.open_record(replace(record, label="later", status="running"))
    told = store("delete", "record", "later", items[0]["label"], "--yes", status=1)
    assert "Run later is going on and cannot be deleted; nothing was deleted." in told
    assert len(lines(store("list", "--json"))) == 5
    told = store("delete", "since", "2000", "--status", "running", "--yes")
    assert told == "keep    later: it is running\nnothing deleted\n"


def test_delete_by_time_and_filters(lab):
    """Since is at or later, after is later, before is earlier; filters narrow."""
    moments = [item["timestamp"] for item in lines(store("list", "--json"))]
    assert len(json.loads(store("delete", "since", moments[0], "--dry-run", "--json"))["records"]) == 1
    assert len(json.loads(store("delete", "after", moments[0], "--dry-run", "--json"))["records"]) == 0
    assert len(json.loads(store("delete", "before", moments[0], "--dry-run", "--json"))["records"]) == 3
    store("delete", "since", "2000", "--status", "crashed", "--yes")
    assert [item["status"] for item in lines(store("list", "--json"))] == ["finished"] * 3
    assert "'soon' is no moment." in store("delete", "before", "soon", "--yes", status=1)
    for name in ("record", "since", "before", "after"):
        assert f"smttask store delete {name}" in store("delete", name, "--help")


def test_sumatra_reads_the_store_after_a_deletion(lab):
    """Its own commands see what is left."""
    store("delete", "since", "2000", "--status", "crashed", "--yes")
    smt = Path(sys.executable).with_name("smt")
    done = subprocess.run([smt, "list"], cwd=lab.root, capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 3
