"""What holds for every command: help with an example, what options do, exit statuses."""

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from smttask.cli import COMMANDS, main

HELP = ("--help", "-h")


def _walk(command, words):
    """Every command that can be called, with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=words[-1] if words else "smttask")
        for name in command.list_commands(context):
            yield from _walk(command.get_command(context, name), (*words, name))
    else:
        yield words, command


LEAVES = dict(_walk(main, ()))
GROUPS = sorted({words[:n] for words in LEAVES for n in range(len(words))})


def call(*args):
    return CliRunner().invoke(main, args)


def ids(words):
    return " ".join(words) or "smttask"


@pytest.mark.parametrize("words", LEAVES, ids=ids)
def test_help_has_an_example_that_calls_the_command(words):
    """Below a line `Example:`; asking for help is no failure."""
    done = call(*words, "--help")
    assert done.exit_code == 0, done.stderr
    heading, _, example = done.stdout.partition("Example:\n")
    assert example, heading
    assert f"smttask {' '.join(words)}" in example.partition("\n\n")[0]


@pytest.mark.parametrize("words", LEAVES, ids=ids)
def test_every_option_says_what_it_does(words):
    """In a sentence."""
    command = LEAVES[words]
    options = [option for option in command.params if isinstance(option, click.Option)]
    silent = [option.opts[0] for option in options if not (option.help or "").strip()]
    assert silent == []
    assert [o.opts[0] for o in options if not o.help.split("  [")[0].rstrip().endswith((".", ")"))] == []


@pytest.mark.parametrize("words", [words for words in LEAVES if words != ("smt",)], ids=ids)
def test_wrong_usage_exits_with_2(words):
    """An option that there is not; what is right is told on stderr."""
    done = call(*words, "--no-such-option")
    assert done.exit_code == 2
    assert "Usage:" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", GROUPS, ids=ids)
def test_an_unknown_subcommand_is_wrong_usage(words):
    """Of each group; each group has a line of help for every command in it."""
    assert call(*words, "no-such-command").exit_code == 2
    told = call(*words, "--help").stdout.partition("Commands:\n")[2]
    lines = [line for line in told.splitlines() if line.startswith("  ") and line[2] != " "]
    assert len(lines) >= 1
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_names_what_exists(name):
    """Each is imported when it is called."""
    assert main.get_command(None, name).name == name


#: A call of each command that cannot succeed where there is no project and no file
HOPELESS = {
    ("project", "init"): ["."],
    ("project", "clone"): [".", "copy"],
    ("run",): ["nowhere"],
    ("status",): ["nowhere"],
    ("snakemake",): ["nowhere"],
    ("explain",): ["nowhere"],
    ("store", "show"): ["20261122"],
    ("store", "find-output"): ["nowhere.npy"],
    ("store", "recreate"): ["20261122"],
    ("store", "create-surrogates"): ["nowhere"],
    ("store", "merge"): ["nowhere"],
    ("store", "delete", "record"): ["20261122"],
    ("store", "delete", "since"): ["2026"],
    ("store", "delete", "before"): ["2026"],
    ("store", "delete", "after"): ["2026"],
    **{("tasker", name): ["nowhere"] for name in ("run", "report", "clear", "unlock", "menu", "monitor")},
    ("debug", "humanize"): ["nowhere"],
    ("debug", "key-parents"): ["x", "nowhere"],
    ("debug", "compare"): ["a", "b"],
    ("smt",): ["list"],
}


@pytest.mark.parametrize("words", [words for words in LEAVES if words != ("completion",)], ids=ids)
def test_a_failure_is_one_message_on_stderr_and_exit_status_1(words, tmp_path):
    """Without a project, without a terminal: no question, no traceback, nothing on stdout."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SMTTASK_")}
    done = subprocess.run(
        [sys.executable, "-m", "smttask", *words, *HOPELESS.get(words, [])],
        cwd=tmp_path,
        env=plain,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("Error: ") <= 1
    assert done.stderr.strip()
    assert list(tmp_path.iterdir()) == []
