"""The command `smttask` itself."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from smttask.cli import COMMANDS, main


def test_help_imports_nothing_heavy():
    """`smttask --help` answers at once: no numpy, pydantic, pandas, rich or Django."""
    code = (
        "import sys\nfrom smttask.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    heavy = {'numpy', 'pydantic', 'pandas', 'rich', 'django', 'git'}\n"
        "    print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "project" in done.stdout


def test_version_is_that_of_the_package():
    """`smttask --version` names program and version."""
    done = subprocess.run(
        [sys.executable, "-m", "smttask", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] in ("smttask", "python")
    assert done.stdout.split()[-1].count(".") == 2


@pytest.mark.parametrize(
    "args", [["--nonsense"], ["nonsense"], ["project", "nonsense"], ["project", "init", "-x"]]
)
def test_wrong_usage_exits_with_2(args):
    """Misspelt commands and options are told apart from failures."""
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_has_an_example(name):
    """The table of commands names what exists, and each help ends in an example."""
    command = main.get_command(None, name)
    leaves = command.commands.values() if hasattr(command, "commands") else [command]
    assert all("Example:" in leaf.help for leaf in leaves)


def test_completion_offers_the_commands():
    """Shell completion knows the subcommands."""
    result = CliRunner().invoke(
        main,
        prog_name="smttask",
        env={"_SMTTASK_COMPLETE": "bash_complete", "COMP_WORDS": "smttask pro", "COMP_CWORD": "1"},
    )
    assert "plain,project" in result.output
