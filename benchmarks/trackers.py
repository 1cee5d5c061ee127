"""What other trackers of runs need for the same; those that are not installed are left out."""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

__all__ = ["mlflow_search"]

N_PARAMETERS = 18
#: Tables whose rows mlflow keeps for each run.
OF_A_RUN = ("runs", "params", "metrics", "latest_metrics", "tags")


def mlflow_search(folder: Path, n_runs: int) -> dict[str, Callable[[], object]]:
    """The table of one run in a hundred, found by a range of a metric, from an SQLite store of mlflow.

    Metrics, since mlflow's parameters are text and have no order.
    """
    if find_spec("mlflow") is None or find_spec("sqlalchemy") is None:
        return {}
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        folder.mkdir(exist_ok=True)
        path = folder / "mlflow.db"
        mlflow.set_tracking_uri(f"sqlite:///{path}")
        if not mlflow.search_runs(max_results=1).shape[0]:
            _fill(mlflow, path, n_runs)
    lower, upper = n_runs / 2, n_runs / 2 + n_runs / 100

    def search() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            where = f"metrics.coupling >= {lower} and metrics.coupling < {upper}"
            found = mlflow.search_runs(filter_string=where, max_results=1000)
        if len(found) != n_runs // 100:
            raise RuntimeError(f"mlflow finds {len(found)} runs")

    return {"mlflow at 10 000": search}


def _fill(mlflow: Any, path: Path, n_runs: int) -> None:
    """One run by mlflow itself, the others as copies of its rows: by mlflow they would take minutes."""
    with mlflow.start_run() as run:
        mlflow.log_params({f"parameter{number}": f"value {number}" for number in range(N_PARAMETERS)})
        mlflow.log_metrics({"coupling": 0.0, "rate": 1.0})
    connection = sqlite3.connect(path)
    for table in OF_A_RUN:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        chosen = ", ".join("?" if name == "run_uuid" else f'"{name}"' for name in columns)
        copy = f"INSERT INTO {table} SELECT {chosen} FROM {table} WHERE run_uuid = ?"
        rows = ((UUID(int=number).hex, run.info.run_id) for number in range(1, n_runs))
        connection.executemany(copy, rows)
    for table in ("metrics", "latest_metrics"):
        update = f"UPDATE {table} SET value = ? WHERE key = 'coupling' AND run_uuid = ?"
        connection.executemany(update, [(number, UUID(int=number).hex) for number in range(1, n_runs)])
    connection.commit()
    connection.close()
