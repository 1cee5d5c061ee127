"""Look up, compute, store, record: the way of one result that is kept."""

from smttask.runner.computing import compute_stored, find_computing
from smttask.runner.lookup import find_any_code, find_stored, load_stored
from smttask.runner.recording import RunRecord, data_key, surroundings, usable_code
from smttask.runner.recovery import settle_open_runs, take_in_journals
from smttask.runner.unit import Stored, Unit, UnitFacts
from smttask.runner.workplace import output_dir, own_file, temporary_dir, working_in

__all__ = [
    "RunRecord",
    "Stored",
    "Unit",
    "UnitFacts",
    "compute_stored",
    "data_key",
    "find_any_code",
    "find_computing",
    "find_stored",
    "load_stored",
    "output_dir",
    "own_file",
    "settle_open_runs",
    "surroundings",
    "take_in_journals",
    "temporary_dir",
    "usable_code",
    "working_in",
]
