"""The text of a Snakefile; Snakemake itself is not needed to write it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from string import Template

__all__ = ["ALL", "INDEX", "head_text", "rule_text"]

#: File in the folder of descriptions: which tasks are asked for, and what each needs.
INDEX = "index.json"
#: Name of the first rule, which asks for all.
ALL = "all"

_HEAD = Template("""\
# Written by `smttask snakemake`; with --force it is written anew.
# A target is the link to a stored result: what is stored is not run. Results and records are made as by
# `smttask run`. There is one rule for each kind of task: snakemake --set-threads $example=4
import json
import os
import shlex

SMTTASK_HERE = os.path.relpath($here)


def smttask_path(*parts):
    path = os.path.normpath(os.path.join(SMTTASK_HERE, *parts))
    if "{" in path:
        raise ValueError(
            f"Snakemake takes the braces in {path} for wildcards: "
            "call it in the folder that has them in its name, or give that another name."
        )
    return path


SMTTASK = config.get("smttask", $command)
SMTTASK_TASKS = smttask_path($tasks)
SMTTASK_PROJECT = os.path.abspath(smttask_path($root))
SMTTASK_RUN = f"SMTTASK_PROJECT={shlex.quote(SMTTASK_PROJECT)} {SMTTASK} run --quiet --keep" + $options

with open(os.path.join(SMTTASK_TASKS, "$index"), encoding="utf-8") as file:
    SMTTASK_INDEX = json.load(file)


SMTTASK_TARGETS = {
$targets
}


def smttask_target(rule, task):
    return SMTTASK_TARGETS[rule].replace("{task}", task)


def smttask_needs(rule):
    needs = SMTTASK_INDEX["needs"][rule]
    return lambda wildcards: [smttask_target(*needed) for needed in needs[wildcards.task]]


localrules: $all


rule $all:
    input:
        lambda wildcards: [
            smttask_target(rule, task) for rule, tasks in SMTTASK_INDEX["wanted"].items() for task in tasks
        ]
""")

_RULE = Template("""

rule $name:  # $full_name
    input:
        ancient(smttask_needs("$name"))  # what a result was made from is in its name, whatever the times
    output:
        $output
    wildcard_constraints:
        task=$pattern
    shell:
        "{SMTTASK_RUN}$options {SMTTASK_TASKS:q}/$name/{wildcards.task}.json"
""")


def head_text(
    *,
    command: str,
    here: str | None,
    tasks: str,
    root: str,
    options: str,
    targets: Iterable[tuple[str, str | None, str]],
) -> str:
    """What comes before the rules.

    Parameters
    ----------
    command
        Starts smttask; may be replaced by ``snakemake --config smttask=…``.
    here
        Folder that paths are relative to, absolute; None: that of the Snakefile.
    tasks, root
        Folder of the descriptions and root of the project, relative to it or absolute.
    options
        For `smttask run`, quoted for a shell; empty, or with a space before them.
    targets
        For each rule its name and the folder of its links, and the folder of the task in it;
        None where targets are marks in the folder of the descriptions.
    """
    rows = list(targets)
    lines = [
        f'    "{rule}": smttask_path({links!r}, {folder!r}) + "/{{task}}.json",'
        if links is not None
        else f'    "{rule}": smttask_path({tasks!r}, {rule!r}) + "/{{task}}.done",'
        for rule, links, folder in rows
    ]
    return _HEAD.substitute(
        command=repr(command),
        here="str(workflow.current_basedir)" if here is None else repr(here),
        tasks=repr(tasks),
        root=repr(root),
        options=repr(options),
        targets="\n".join(lines),
        example=rows[0][0],
        index=INDEX,
        all=ALL,
    )


def rule_text(name: str, full_name: str, *, is_stored: bool, only: Collection[str] | None) -> str:
    """One rule.

    Parameters
    ----------
    is_stored
        Whether its targets are links to results; else they are marks.
    only
        The tasks that it runs, where the targets of another rule look alike.
    """
    target = f'SMTTASK_TARGETS["{name}"]'
    return _RULE.substitute(
        name=name,
        full_name=full_name,
        output=target if is_stored else f"touch({target})",
        pattern=repr("[^.]+" if only is None else "|".join(map(re.escape, only))),
        options=" --record" if is_stored else "",
    )
