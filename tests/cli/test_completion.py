"""Shell completion, in real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from smttask.cli import main
from smttask.testing import scratch_project

TASKS = """
from dataclasses import dataclass

from smttask import RecordedTask


@dataclass
class Side:
    length: float = 1.0


@RecordedTask
def Square(x: float) -> float:
    return x**2


@RecordedTask
def Cube(x: float, side: Side = Side()) -> float:
    if x < 0:
        raise ValueError("negative")
    return x**3
"""
# What bash does at a TAB: it fills in the variables of the line and calls the function
COMPLETE = """
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
[ -z {last} ] && COMP_WORDS+=("") && COMP_CWORD=$((COMP_CWORD + 1))
compopt() {{ echo "compopt $*"; }}
_smttask_completion smttask {last} x 2>&1
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def lab(tmp_path):
    """Two finished runs, one of them tagged, and a crashed one; tagged and named."""
    with scratch_project(tmp_path / "lab", {"tasks.py": TASKS}) as scratch:
        tasks = scratch.load("tasks")
        tasks.Square(2.0).run()
        tasks.Square(3.0).run()
        with pytest.raises(ValueError, match="negative"):
            tasks.Cube(-1.0).run()
        yield scratch


def run_bash(folder, script, *options):
    """What an interactive bash, without the user's files, prints."""
    bin_dir = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", *options, "-c", script],
        cwd=folder,
        env={"PATH": f"{bin_dir}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def offered(folder, line):
    """What bash offers at the end of `line`."""
    words = line.split(" ")
    last = words[-1] or "''"
    script = 'eval "$(smttask completion bash)"\n' + COMPLETE.format(
        words=" ".join(word for word in words if word), last=last
    )
    return run_bash(folder, script, "-i").split("\n")[:-1]


def test_bash_completes_commands_and_options(lab):
    """Of all levels."""
    assert offered(lab.root, "smttask sto") == ["store"]
    assert {"list", "show", "verify"} <= set(offered(lab.root, "smttask store "))
    assert offered(lab.root, "smttask store list --stat") == ["--status"]
    assert {"finished", "crashed"} <= set(offered(lab.root, "smttask store list --status "))
    assert offered(lab.root, "smttask completion f") == ["fish"]


def test_bash_completes_labels_tasks_and_tags(lab):
    """From the records, newest first; of all runs, whatever came of them."""
    labels = lab.project.records.labels()
    assert offered(lab.root, "smttask store show 2") == labels
    assert offered(lab.root, f"smttask store show {labels[0]}") == labels[:1]
    assert offered(lab.root, "smttask store list --match 2") == labels
    assert offered(lab.root, "smttask store list --task ") == ["Cube", "Square"]
    assert offered(lab.root, "smttask store list --task tasks.S") == ["tasks.Square"]
    from smttask import RSView

    RSView(lab.project)[0:1].add_tag("good")
    assert offered(lab.root, "smttask store list --tag g") == ["good"]


def test_bash_completes_inputs_and_columns(lab):
    """Dotted paths of inputs, and fields; those before a comma stay."""
    assert offered(lab.root, "smttask store list --param ") == ["side", "side.length", "x"]
    assert offered(lab.root, "smttask store list --match 2 --but side.") == ["side.length"]
    assert offered(lab.root, "smttask store list --columns label,si") == ["label,side", "label,side.length"]
    assert offered(lab.root, "smttask store list --columns dur") == ["duration"]


def test_bash_completes_task_files_where_only_such_fit(lab):
    """Else it does what it does for files and folders."""
    path = lab.load("tasks").Square(5.0).save(lab.root / "todo")
    assert offered(lab.root, "smttask run todo/") == [f"todo/{path.name}"]
    assert offered(lab.root, "smttask explain todo/Sq") == [f"todo/{path.name}"]
    assert offered(lab.root, "smttask run to")[0].startswith("compopt")
    assert offered(lab.root, "smttask run nowhere/x")[0].startswith("compopt")


def test_the_line_stays_clean_where_nothing_can_be_offered(lab, tmp_path):
    """No project, no record store, a damaged one: no message, no file made."""
    assert offered(tmp_path, "smttask store show 2") == [""]
    (lab.root / ".smt" / "records").unlink()
    assert offered(lab.root, "smttask store show 2") == [""]
    assert not (lab.root / ".smt" / "records").exists()
    (lab.root / ".smt" / "records").write_text("no database")
    assert offered(lab.root, "smttask store list --task S") == [""]


def test_completion_needs_nothing_heavy(lab):
    """So that it answers while the user waits: labels come without numpy and pydantic."""
    code = (
        "import sys\nfrom smttask.cli import main\n"
        "try:\n    main(prog_name='smttask')\n"
        "finally:\n    heavy = {'numpy', 'pydantic', 'pandas', 'rich', 'django', 'git', 'psycopg'}\n"
        "    print(sorted(heavy & set(sys.modules)))"
    )
    line = {"COMP_WORDS": "smttask store show 2", "COMP_CWORD": "3", "_SMTTASK_COMPLETE": "bash_complete"}
    *found, heavy = lab.run(code, **line).stdout.splitlines()
    assert found == [f"plain,{label}" for label in lab.project.records.labels()]
    assert heavy == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell):
    """It calls smttask; a shell that is there can read it."""
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_SMTTASK_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell_is_wrong_usage():
    """It names those that are known."""
    done = CliRunner().invoke(main, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "'zsh'" in done.stderr
