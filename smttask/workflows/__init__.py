"""Many tasks from few lines: collections of parameters, seeds, and modules that are run with arguments."""

from smttask.workflows.expandable import Expandable, ExpandableDistribution, ExpandableSequence, expand
from smttask.workflows.modules import run_workflow, set_workflow_args
from smttask.workflows.parameters import ParamColl
from smttask.workflows.seeds import SeedGenerator, SeedStream

__all__ = [
    "Expandable",
    "ExpandableDistribution",
    "ExpandableSequence",
    "ParamColl",
    "SeedGenerator",
    "SeedStream",
    "expand",
    "run_workflow",
    "set_workflow_args",
]
