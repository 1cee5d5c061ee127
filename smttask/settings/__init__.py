"""The object `config`: what the user may choose, and where a choice comes from.

A setting is looked up in four places, and the first that has it wins:

1. code: ``config.record = False`` or ``with config.use(record=False): ...``
2. the environment: ``SMTTASK_RECORD=0``
3. the project's file: ``[tool.smttask]`` in ``pyproject.toml``, or ``.smt/smttask.json``
4. the default

Nothing is read when this module is imported, and the environment is looked at
anew each time. Lower rooms never read `config`: they get values as arguments.
"""

from smttask.settings.conversion import JOURNAL
from smttask.settings.file import read_project_file
from smttask.settings.settings import SETTINGS, Config, Setting, check_environment, config

__all__ = ["JOURNAL", "SETTINGS", "Config", "Setting", "check_environment", "config", "read_project_file"]
