"""The rows of the table: what is measured, its bounds, and what stands beside it.

Stated times are those of the machine for which the bounds were set: two cores of a
shared server, ext4 on a virtual disk, Python 3.11, with nothing else to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import arrays, clusters, commands, crowd, exploring, folders, kinds, lookups, records, sources
from benchmarks.measure import Samples
from benchmarks.workbench import Workbench

__all__ = ["ROWS", "Peer", "Row"]

US, MS = 1e-6, 1e-3


@dataclass(frozen=True, slots=True)
class Peer:
    """Another way to do the same, or a part that nobody can do without.

    Parameters
    ----------
    name
        As the samples have it.
    stated_s
        Seconds it takes on the machine for which the bounds were set; None where that decides nothing.
    """

    name: str
    stated_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Parameters
    ----------
    key
        What it is asked for by.
    must, goal
        Upper bounds of the median: seconds, with `is_bytes` bytes, or with `is_relative` multiples
        of the first peer's median.
    peers
        The first one tells how fast the machine is at the moment. Those that are not
        installed are left out.
    """

    key: str
    title: str
    must: float
    goal: float | None
    measure: Callable[[Workbench], Samples]
    peers: tuple[Peer, ...]
    is_relative: bool = False
    is_bytes: bool = False


RAW_HIT = (Peer("raw calls", 8 * US), Peer("diskcache", 40 * US), Peer("joblib.Memory", 150 * US))
PROCESSES = (Peer("import pydantic", 75 * MS), Peer("python -c pass", 10 * MS))

ROWS = (
    Row(
        "record",
        "recorded run of a trivial task, not stored before",
        2 * MS,
        0.8 * MS,
        lookups.record,
        (Peer("raw calls", 0.55 * MS), Peer("joblib.Memory", 0.4 * MS)),
    ),
    Row("hit", "hit, same process", 100 * US, 50 * US, lookups.hit, RAW_HIT),
    Row("hit-other", "hit, other process", 120 * US, 60 * US, lookups.hit_elsewhere, RAW_HIT),
    Row(
        "first-hit",
        "first hit of a process, imports aside",
        60 * MS,
        None,
        lookups.first_hit,
        (Peer("python -c pass", 10 * MS), Peer("joblib.Memory", 1.9 * MS)),
    ),
    Row(
        "hit-iterative",
        "hit of an iterative task",
        1.5,
        None,
        kinds.hit_iterative,
        (Peer("plain hit"),),
        is_relative=True,
    ),
    Row(
        "hit-arrays",
        "hit of a task with three arrays of 8 kB",
        1.5,
        None,
        kinds.hit_arrays,
        (Peer("plain hit, 3 np.load"), Peer("3 np.load")),
        is_relative=True,
    ),
    Row(
        "hit-upstream",
        "hit of a task of three tasks, made before",
        1.5,
        None,
        kinds.hit_upstream,
        (Peer("plain hit"), Peer("with the three made")),
        is_relative=True,
    ),
    Row(
        "continue",
        "largest of 10 000 iterations below another",
        5 * MS,
        3.5 * MS,
        kinds.largest_iteration,
        (Peer("os.listdir", 2.5 * MS),),
    ),
    Row(
        "construct",
        "construct a task with three scalars",
        25 * US,
        12 * US,
        lookups.construct,
        (Peer("pydantic model", 0.7 * US),),
    ),
    Row(
        "array-digest",
        "100 MB argument, read-only: digest",
        30 * MS,
        15 * MS,
        arrays.digest_array,
        (Peer("blake3, 2 threads", 13 * MS), Peer("joblib.hash", 165 * MS)),
    ),
    Row(
        "array-construct",
        "100 MB argument, writeable: construct",
        150 * MS,
        80 * MS,
        arrays.construct_array,
        (Peer("memcpy, then blake3", 53 * MS), Peer("memcpy", 40 * MS), Peer("joblib.hash", 165 * MS)),
    ),
    Row(
        "store",
        "100 MB result: store",
        2,
        1.5,
        arrays.store_array,
        (Peer("np.save"), Peer("np.save, then blake3")),
        is_relative=True,
    ),
    Row(
        "load",
        "100 MB result: load with checksum",
        2,
        1.5,
        arrays.load_array,
        (Peer("np.load"), Peer("np.load, then blake3")),
        is_relative=True,
    ),
    Row(
        "mmap",
        "100 MB result: memory-mapped",
        2 * MS,
        1 * MS,
        arrays.map_array,
        (Peer("np.load(mmap)", 0.07 * MS),),
    ),
    Row(
        "code-first",
        "code of 50 functions in 10 modules: first",
        50 * MS,
        20 * MS,
        sources.first_fingerprint,
        (Peer("ast.parse", 1.9 * MS),),
    ),
    Row(
        "code-again",
        "code of 50 functions in 10 modules: again",
        20 * US,
        5 * US,
        sources.fingerprint_again,
        (Peer("look at each name", 1.8 * US),),
    ),
    Row("import", "from smttask import RecordedTask", 0.5, 0.35, commands.import_all, PROCESSES),
    Row("help", "smttask --help", 0.4, 0.25, commands.print_help, PROCESSES),
    Row(
        "run",
        "smttask run -n2 on 200 trivial tasks",
        4,
        2,
        commands.run_many,
        (Peer("ProcessPoolExecutor", 0.45),),
    ),
    Row(
        "run-many",
        "smttask run -n2 on 10 000 trivial tasks, a task",
        2,
        None,
        crowd.throughput,
        (Peer("raw calls, 2 processes"),),
        is_relative=True,
    ),
    Row(
        "run-naps",
        "16 tasks of 0.5 s on 4 workers, after start",
        2.2,
        None,
        crowd.naps,
        (Peer("ProcessPoolExecutor", 2.03), Peer("joblib", 2.6)),
    ),
    Row("run-first", "first task begun at 100 000 files", 3, None, crowd.first_task, (Peer("10 files"),)),
    Row(
        "run-memory",
        "parent of the workers at 100 000 files",
        300e6,
        None,
        crowd.parent_memory,
        (Peer("10 files"),),
        is_bytes=True,
    ),
    Row(
        "dask",
        "task on two Dask workers, more than plain",
        3 * MS,
        2 * MS,
        clusters.dask_overhead,
        (Peer("plain dask.delayed", 2.6 * MS),),
    ),
    Row(
        "dframe",
        "dframe of 10 000 records",
        300 * MS,
        150 * MS,
        records.table,
        (Peer("raw SQL", 36 * MS), Peer("smt list")),
    ),
    Row(
        "dframe-inputs",
        "dframe of 10 000 records and their inputs",
        300 * MS,
        150 * MS,
        records.table_with_inputs,
        (Peer("raw SQL", 30 * MS),),
    ),
    Row(
        "filter",
        "filter 10 000 records by a parameter",
        100 * MS,
        50 * MS,
        records.filter_records,
        (Peer("raw SQL", 9.5 * MS),),
    ),
    Row(
        "explain",
        "explain a miss at 10 000 runs of the task",
        10 * MS,
        2 * MS,
        records.explain_miss,
        (Peer("raw SQL", 0.17 * MS),),
    ),
    Row("count", "count 100 000 records", 20 * MS, None, exploring.count, (Peer("raw SQL"),)),
    Row("latest", "the latest of 100 000 records", 20 * MS, None, exploring.latest, (Peer("raw SQL"),)),
    Row("label", "one of 100 000 records by label", 20 * MS, None, exploring.label, (Peer("raw SQL"),)),
    Row(
        "show-text",
        "last 50 of 100 000 records in a terminal",
        50 * MS,
        None,
        exploring.show_text,
        (Peer("raw SQL"),),
    ),
    Row(
        "show-html",
        "last 50 of 100 000 records in a notebook",
        50 * MS,
        None,
        exploring.show_html,
        (Peer("raw SQL"),),
    ),
    Row(
        "range",
        "100 000 records: task, range of an input, dframe",
        150 * MS,
        None,
        exploring.find_range,
        (Peer("raw SQL"), Peer("mlflow at 10 000")),
    ),
    Row(
        "all",
        "dframe of 100 000 records",
        2,
        None,
        exploring.frame,
        (Peer("raw SQL"),),
    ),
    Row(
        "all-inputs",
        "dframe of 100 000 records and their 20 inputs",
        5,
        None,
        exploring.frame_with_inputs,
        (Peer("raw SQL", 3.0), Peer("json.loads")),
    ),
    Row(
        "all-memory",
        "the same: memory of the process",
        600e6,
        None,
        exploring.frame_memory,
        (Peer("raw SQL"), Peer("import pandas")),
        is_bytes=True,
    ),
    Row(
        "tag",
        "tag 1000 of 100 000 records",
        0.3,
        None,
        exploring.tag,
        (Peer("raw SQL"), Peer("smt tag, one record")),
    ),
    Row("list", "smttask store list at 100 000 records", 1, None, exploring.list_command, PROCESSES),
    Row(
        "size",
        "database, a record: but for inputs and links",
        3000,
        None,
        exploring.size,
        (Peer("inputs and links"),),
        is_bytes=True,
    ),
    Row(
        "growth",
        "save a record at 100 000 in the store",
        1.5,
        None,
        records.save_among_many,
        (Peer("at 100"),),
        is_relative=True,
    ),
    Row(
        "tasker-chain",
        "Tasker: chain of 1000 tasks that are current",
        120 * MS,
        None,
        folders.chain,
        (Peer("raw calls", 12 * MS),),
    ),
    Row(
        "tasker-menu",
        "Tasker: menu of 200 tasks",
        50 * MS,
        None,
        folders.menu,
        (Peer("raw calls", 2 * MS),),
    ),
    Row(
        "tasker-run",
        "smttask tasker run -n2 on 500 current folders",
        3,
        None,
        folders.run_folders,
        (Peer("raw calls", 0.07), Peer("pytask"), Peer("doit -n2")),
    ),
)
