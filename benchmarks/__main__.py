"""One table of times, each beside its peer: ``python -m benchmarks [ROW …] [--postgres] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.measure import FULL, TINY
from benchmarks.rows import ROWS, Row
from benchmarks.table import HEADER, Result
from benchmarks.workbench import Workbench


def main() -> int:
    """Print the table; 0 if all rows could be measured and hold."""
    arguments = _arguments()
    rows = [row for row in ROWS if not arguments.rows or row.key in arguments.rows]
    begin = perf_counter()
    print(HEADER, flush=True)
    results = []
    with (
        tempfile.TemporaryDirectory(prefix="smttask-bench-", ignore_cleanup_errors=True) as folder,
        _databases(arguments.postgres) as new_database,
    ):
        bench = Workbench(TINY if arguments.tiny else FULL, Path(folder), new_database)
        for row in rows:
            result = _measured(row, bench)
            results.append(result)
            print("\n".join(result.lines()), flush=True)
    print(f"\n{_summary(results, perf_counter() - begin)}")
    if arguments.json:
        facts = {"python": platform.python_version(), "platform": platform.platform(), "tiny": arguments.tiny}
        text = json.dumps({**facts, "rows": [result.to_json() for result in results]}, indent=1)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    is_good = [not result.error if arguments.tiny else result.holds for result in results]
    return 0 if all(is_good) else 1


@contextmanager
def _databases(is_postgres: bool) -> Iterator[Callable[[], str] | None]:
    """What gives new databases, of a server that ends with the block."""
    if not is_postgres:
        yield None
        return
    from smttask.testing import postgres_server

    with postgres_server() as server:
        yield lambda: server.new_database(empty=True)


def _summary(results: list[Result], taken_s: float) -> str:
    """How many rows hold, and where that was found."""
    n_measured = sum(not result.error for result in results)
    counts = f"{n_measured} of {len(results)} rows measured"
    if all(result.is_judged for result in results):
        n_hold = sum(result.holds for result in results)
        n_goal = sum(result.reaches_goal for result in results)
        counts = f"{n_hold} of {len(results)} rows hold, {n_goal} reach their goal"
    return (
        f"{counts}; {taken_s:.0f} s on {os.cpu_count()} cores, Python {platform.python_version()},"
        f" load {os.getloadavg()[0]:.1f}.\n"
        "Bounds grow by the factor under `machine`: how much slower the first peer beside is than stated."
    )


def _measured(row: Row, bench: Workbench) -> Result:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a run without a record, say, is none that counts
            return Result(row, row.measure(bench), is_judged=bench.scale is FULL)
    except Exception as error:  # noqa: BLE001 - the other rows are measured all the same
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return Result(row, {}, reason, is_judged=bench.scale is FULL)


def _arguments() -> argparse.Namespace:
    keys = [row.key for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=f"rows: {', '.join(keys)}"
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there, in seconds")
    parser.add_argument(
        "--postgres", action="store_true", help="100 000 records: on a PostgreSQL server of their own"
    )
    parser.add_argument("--tiny", action="store_true", help="each row once on next to no data: does it run?")
    arguments = parser.parse_args()
    if unknown := [key for key in arguments.rows if key not in keys]:
        parser.error(f"no row {', '.join(unknown)}; rows: {', '.join(keys)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
