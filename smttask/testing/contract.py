"""What every record store must do, as tests for pytest."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smttask.errors import InputError, RecordNotFoundError, RecordStoreError
from smttask.protocols import RecordStore
from smttask.records import provenance
from smttask.records.editing import TagEdit, TextEdit
from smttask.records.query import Selection
from smttask.records.record import DataKey, Dependency, Record, RepositoryAddress

__all__ = ["RecordStoreContract", "example_record"]

START = datetime(2026, 11, 22, 10, 15, 0, 123456, tzinfo=UTC)


def example_record(number: int = 0, **fields: Any) -> Record:
    """A record as runs have them.

    Parameters
    ----------
    number
        Its task's input ``x``; it started so many seconds after a fixed time.
    fields
        Of `smttask.records.record.Record`, instead; ``inputs`` of its task.

    Examples
    --------
    >>> example_record(1).task
    'Analyze'
    """
    started = START + timedelta(seconds=number)
    digest = f"{number:020x}"
    entry = {"name": "Analyze", "module": "tasks", "inputs": fields.pop("inputs", {"x": number})}
    values: dict[str, Any] = {
        "label": f"{started:%Y%m%d-%H%M%S-%f}_{digest[-6:]}",
        "timestamp": started,
        "task": "Analyze",
        "module": "tasks",
        "digest": digest,
        "full_digest": f"{number:040x}",
        "manifest": f"Analyze/{number}.json",
        "parameters": json.dumps({"format": 1, "task": digest, "tasks": {digest: entry}}),
        "main_file": "tasks.py",
        "version": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "reason": "first look",
        "script_arguments": "Analyze",
        "user": "A Tester <tester@localhost>",
        "working_directory": "/p",
        "executable": provenance.executable(),
        "repository": RepositoryAddress("/p"),
        "platform": provenance.platform(),
        "dependencies": (Dependency("numpy", "/lib/numpy", "2.1"), Dependency("scipy", "/lib/scipy", "1.14")),
    }
    return Record(**{**values, **fields})


class RecordStoreContract:
    """Tests that every record store passes; subclasses give the fixture ``store``, a new and empty one.

    Examples
    --------
    ::

        class TestOurStore(RecordStoreContract):
            @pytest.fixture
            def store(self, tmp_path):
                return OurStore(tmp_path / "records")  # new and empty
    """

    def test_a_record_comes_back_as_it_was_opened(self, store: RecordStore) -> None:
        record = example_record(
            1,
            diff="--- a\n+++ b\n",
            tags=frozenset({"paper", "first look"}),
            repository=RepositoryAddress("/p/ü 1", "https://example.org/p.git"),
            working_directory='/p/it\'s "ü" \\ %s $1 ?',
            reason="50 % of $1, '?' and {test}",
            input_data=(
                DataKey("data/x.csv", datetime(2026, 1, 1, tzinfo=UTC), {"blake3": "ab", "size": 3}),
            ),
        )
        store.open_record(record)
        found = store.get(record.label)
        assert found.status == "running"
        assert found.input_data[0].metadata["blake3"] == "ab"
        for name in Record.__dataclass_fields__.keys() - {"input_data"}:
            assert getattr(found, name) == getattr(record, name), name

    @pytest.mark.parametrize("microsecond", [0, 1, 120000, 999999])
    def test_a_start_is_kept_to_the_microsecond(self, store: RecordStore, microsecond: int) -> None:
        started = START.replace(microsecond=microsecond)
        store.open_record(example_record(timestamp=started))
        assert store.get(example_record().label).timestamp == started
        (row,) = store.columns(Selection(), ["timestamp"])
        assert row == (str(started.replace(tzinfo=None)),)

    def test_a_closed_record_says_what_the_run_brought(self, store: RecordStore) -> None:
        record = example_record(1, dependencies=(Dependency("numpy", "/n", "2.0"),))
        store.open_record(record)
        more = (*record.dependencies, Dependency("scipy", "/s", "1.0"))
        store.close_record(
            record.label,
            status="finished",
            outcome="fits",
            output_data=[_key("Analyze/1.json")],
            dependencies=more,
            stdout_stderr="ü\0\n",
            ended=record.timestamp + timedelta(seconds=2.5),
            parameters=record.parameters.replace('"x"', '"y"'),
        )
        found = store.get(record.label)
        assert [store.count(Selection().with_parameters({name: 1})) for name in "xy"] == [0, 1]
        assert (found.status, found.outcome, found.duration_s) == ("finished", "fits", 2.5)
        assert found.dependencies == more
        assert [key.path for key in found.output_data] == ["Analyze/1.json"]
        assert found.stdout_stderr == "ü\ufffd\n"

    def test_what_a_user_wrote_stays_above_the_outcome(self, store: RecordStore, tmp_path: Path) -> None:
        store.open_record(example_record(1))
        store.edit(Selection(), TextEdit("outcome", lambda old: "mine"), noted_in=tmp_path / "edits")
        store.close_record(example_record(1).label, status="crashed", outcome="ValueError")
        assert store.get(example_record(1).label).outcome == "mine\nValueError"

    def test_a_label_is_given_once(self, store: RecordStore) -> None:
        store.open_record(example_record(1))
        with pytest.raises(RecordStoreError, match="already"):
            store.open_record(example_record(1))
        assert store.count() == 1

    def test_a_record_that_is_not_there_is_said_to_be_missing(self, store: RecordStore) -> None:
        asks: Sequence[Callable[[str], object]] = (
            store.get,
            lambda label: store.close_record(label, status="finished"),
        )
        for ask in asks:
            with pytest.raises(RecordNotFoundError, match="no record 'nowhere'") as caught:
                ask("nowhere")
            assert "smt list" in str(caught.value)
        assert not store.has("nowhere")
        assert store.mark_killed("nowhere") is False

    def test_a_label_too_long_is_refused_before_anything_is_written(self, store: RecordStore) -> None:
        with pytest.raises(RecordStoreError, match="No record can hold the label"):
            store.open_record(example_record(label="x" * 101))
        assert store.count() == 0

    def test_other_values_are_cut_to_the_widths_of_the_schema(self, store: RecordStore) -> None:
        """No text is too long or strange, in any place."""
        long = "ü\0'\ud800" * 2000
        platform = provenance.platform()
        record = example_record(
            task=long,
            module=long,
            digest=long,
            full_digest=long,
            manifest=long,
            reason=long,
            diff=long,
            script_arguments=long,
            user=long,
            version=long,
            outcome=long,
            stdout_stderr=long,
            working_directory=f"/{long}",
            executable=type(provenance.executable())(long, long, long, long),
            repository=RepositoryAddress(long, long),
            platform=type(platform)(*[long] * 8),
            dependencies=(Dependency(long, long, long, long, long),),
        )
        store.open_record(record)
        found = store.get(record.label)
        assert (len(found.user), len(found.version)) == (100, 50)
        assert found.working_directory.startswith("/ü")
        assert len(found.dependencies[0].name) == 50
        store.close_record(record.label, status="crashed", outcome=long, stdout_stderr=long)

    @pytest.mark.parametrize("tag", ["", "a,b", 'say "x"', "_done_", "x" * 51, " x", "a\0"])
    def test_a_tag_that_sumatra_would_change_is_refused(self, store: RecordStore, tag: str) -> None:
        with pytest.raises(InputError, match="cannot have the tag"):
            store.open_record(example_record(tags=frozenset({tag})))
        assert store.count() == 0

    def test_an_unknown_status_is_refused(self, store: RecordStore) -> None:
        store.open_record(example_record(1))
        with pytest.raises(InputError, match="no status 'done'"):
            store.close_record(example_record(1).label, status="done")

    def test_a_write_that_fails_leaves_nothing(self, store: RecordStore) -> None:
        broken: Any = (*example_record().dependencies, "no dependency")
        with pytest.raises(AttributeError):
            store.open_record(example_record(2, dependencies=broken))
        assert store.count() == 0
        store.open_record(example_record(2))
        assert store.count() == 1

    def test_the_open_runs_of_a_dead_process_can_be_told_and_marked(self, store: RecordStore) -> None:
        for number in (1, 2):
            store.open_record(example_record(number))
        assert {run.label for run in store.open_runs()} == {example_record(n).label for n in (1, 2)}
        assert [run.process.pid for run in store.open_runs()] == [os.getpid()] * 2
        assert [run.manifest for run in store.open_runs(digest=example_record(1).digest)] == [
            "Analyze/1.json"
        ]
        assert store.mark_killed(example_record(1).label, outcome="died") is True
        assert store.mark_killed(example_record(1).label) is False
        found = store.get(example_record(1).label)
        assert (found.status, found.outcome, found.duration_s) == ("killed", "died", None)
        assert [run.label for run in store.open_runs()] == [example_record(2).label]

    def test_a_run_that_was_taken_for_dead_is_closed_all_the_same(self, store: RecordStore) -> None:
        store.open_record(example_record(1))
        store.mark_killed(example_record(1).label)
        store.close_record(example_record(1).label, status="finished")
        assert store.get(example_record(1).label).status == "finished"

    def test_threads_share_a_store(self, store: RecordStore) -> None:
        def work(first: int) -> None:
            for number in range(first, first + 10):
                store.open_record(example_record(number))
                store.close_record(example_record(number).label, status="finished")

        threads = [threading.Thread(target=work, args=(100 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.count(Selection().with_tags("_finished_")) == 40

    def test_records_are_listed_newest_first_and_read_in_order(self, store: RecordStore) -> None:
        for number in (2, 0, 1):
            store.open_record(example_record(number))
        labels = [example_record(number).label for number in (2, 1, 0)]
        assert store.labels() == labels
        assert [record.label for record in store.records()] == labels
        assert store.labels(Selection().oldest_first()) == labels[::-1]
        assert store.labels(Selection().sliced(1, 2)) == labels[1:2]
        assert store.count(Selection().sliced(1, None)) == 2

    def test_columns_give_one_tuple_for_each_record(self, store: RecordStore) -> None:
        for number in range(2):
            store.open_record(example_record(number))
        rows = store.columns(Selection(), ["task", "timestamp", "tags"])
        assert rows[0] == ("Analyze", "2026-11-22 10:15:01.123456", "_running_")
        with pytest.raises(RecordStoreError, match="no column 'colour'"):
            store.columns(Selection(), ["label", "colour"])

    def test_the_last_runs_of_a_task_come_latest_first(self, store: RecordStore) -> None:
        """Whatever became of them; those of other tasks are not looked at."""
        first, second = example_record(1), example_record(2)
        other = example_record(3, task="Other", digest="77")
        for record in (first, second, other):
            store.open_record(record)
        store.close_record(first.label, status="crashed", outcome="ValueError: no")
        runs = store.latest_runs(first.module, first.task, 9)
        assert [(run.label, run.status) for run in runs] == [
            (second.label, "running"),
            (first.label, "crashed"),
        ]
        assert (runs[1].outcome, runs[1].manifest) == ("ValueError: no", first.manifest)
        assert store.latest_runs(first.module, first.task, 1) == runs[:1]
        latest = store.find_latest_run("77")
        assert latest is not None
        assert latest.label == other.label
        assert store.find_latest_run("none") is None

    @pytest.mark.parametrize(
        ("choose", "numbers"),
        [
            (lambda s: s.with_label(example_record(1).label[:19]), [1]),
            (lambda s: s.with_label(""), [3, 2, 1]),
            (lambda s: s.with_labels(example_record(1).label, "a\0b"), [1]),
            (lambda s: s.with_label_like("2026*-10150[12]-*_00000?"), [2, 1]),
            (lambda s: s.with_label_like("*.2026"), []),
            (lambda s: s.with_task("tasks.Analyze"), [3, 2, 1]),
            (lambda s: s.with_task("Analyze", "tasks").with_digest(example_record(2).digest), [2]),
            (lambda s: s.with_tags("odd"), [3, 1]),
            (lambda s: s.with_any_tag("odd", "even"), [3, 2, 1]),
            (lambda s: s.without_tags("odd"), [2]),
            (lambda s: s.with_text("reason", "ü 50% 2"), [2]),
            (lambda s: s.with_script("Analyze"), [3, 2, 1]),
            (lambda s: s.with_output("run/2.js"), [2]),
            (lambda s: s.with_version("4b82"), [3, 2, 1]),
            (lambda s: s.after(START + timedelta(seconds=2)), [3, 2]),
            (lambda s: s.before(START + timedelta(seconds=2)), [1]),
            (lambda s: s.with_tags("odd").joined(s.with_tags("even").sliced(0, 1)), [3, 2, 1]),
            (lambda s: s.sliced(0, 2).with_tags("odd"), [3]),
            (lambda s: s.with_tags("odd").sliced(0, 1).joined(s.before(START)), [3]),
        ],
    )
    def test_a_selection_finds_what_meets_its_conditions(
        self, store: RecordStore, choose: Callable[[Selection], Selection], numbers: list[int]
    ) -> None:
        _fill(store)
        selection = choose(Selection())
        assert store.labels(selection) == [example_record(number).label for number in numbers]
        assert store.count(selection) == len(numbers)

    @pytest.mark.parametrize(
        ("values", "operator", "numbers"),
        [
            ({"x": 2}, "==", [2]),
            ({"x": 2.0}, "==", [2]),
            ({"x": 2}, ">=", [3, 2]),
            ({"x": 2}, "<", [1]),
            ({"model.sigma": 0.3}, ">=", [3]),
            ({"model.name": "m2"}, "==", [2]),
            ({"model.name": "m2"}, ">", [3]),
            ({"list[1]": 2}, "==", [2]),
            ({"list": [0, 2]}, "==", [2]),
            ({"none": None}, "==", [3, 2, 1]),
            ({"missing.path": 1}, "==", []),
            ({"x": 2, "model.name": "m2"}, "==", [2]),
            ({"ü": "é\0"}, "==", []),
        ],
    )
    def test_parameters_are_compared(
        self, store: RecordStore, values: dict[str, Any], operator: str, numbers: list[int]
    ) -> None:
        _fill(store)
        selection = Selection().with_parameters(values, operator)
        wanted = [example_record(number).label for number in numbers]
        assert store.labels(selection) == wanted
        assert store.labels(selection.with_tags("odd").joined(selection)) == wanted
        assert store.labels(selection.sliced(0, 2).with_version("4b")) == wanted[:2]

    def test_edits_change_a_whole_selection_and_are_noted(self, store: RecordStore, tmp_path: Path) -> None:
        _fill(store)
        noted = tmp_path / "edits"
        assert store.edit(Selection(), TagEdit(("a", "b"), ("odd",)), noted_in=noted) == 3
        assert store.edit(Selection(), TagEdit(("a",)), noted_in=noted) == 0
        upper = TextEdit("reason", str.upper)
        assert store.edit(Selection().with_tags("even"), upper, noted_in=noted) == 1
        assert store.get(example_record(1).label).tags == {"a", "b"}
        assert store.get(example_record(2).label).tags == {"a", "b", "even"}
        assert store.get(example_record(2).label).reason == "Ü 50% 2"
        lines = [json.loads(line) for line in noted.read_text().splitlines()]
        assert [line["column"] for line in lines] == ["tags", "reason"]

    def test_an_edit_that_fails_changes_nothing(self, store: RecordStore, tmp_path: Path) -> None:
        _fill(store)
        with pytest.raises(ZeroDivisionError):
            store.edit(Selection(), TextEdit("reason", lambda old: 1 / 0), noted_in=tmp_path / "x")  # type: ignore[arg-type, return-value]
        assert store.count(Selection().with_text("reason", "50%")) == 3

    def test_parameters_are_found_by_label(self, store: RecordStore) -> None:
        _fill(store)
        found = store.find_parameters(example_record(2).label)
        assert found is not None
        assert (found[0]["task"], found[1]) == (example_record(2).digest, example_record(2).digest)
        assert store.find_parameters("nowhere") is None

    def test_a_store_says_where_it_is_and_that_it_is_made(self, store: RecordStore) -> None:
        store.count()
        assert store.is_made()
        assert store.address in repr(store)


def _key(name: str) -> DataKey:
    return DataKey.of_file(f"/data/{name}", "/data", size=5, blake3="ab" * 32, created=START)


def _fill(store: RecordStore) -> None:
    """Three records, numbered from 1."""
    for number in (1, 2, 3):
        inputs = {
            "x": number,
            "model": {"sigma": number / 10, "name": f"m{number}"},
            "list": [0, number],
            "none": None,
        }
        tags = frozenset({"odd" if number % 2 else "even"})
        store.open_record(example_record(number, inputs=inputs, tags=tags, reason=f"ü 50% {number}"))
        store.close_record(
            example_record(number).label, status="finished", output_data=[_key(f"run/{number}.json")]
        )
