"""The command `smttask` itself."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from smttask.cli import main


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


def test_completion_offers_the_commands():
    """Shell completion knows the subcommands."""
    result = CliRunner().invoke(
        main,
        prog_name="smttask",
        env={"_SMTTASK_COMPLETE": "bash_complete", "COMP_WORDS": "smttask pro", "COMP_CWORD": "1"},
    )
    assert "plain,project" in result.output
