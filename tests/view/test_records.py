from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from smttask import RecordView, RSView
from smttask.errors import (
    DamagedResultError,
    DescriptionError,
    OutputError,
    RecordNotFoundError,
    RepositoryError,
    ResultNotFoundError,
)
from smttask.testing import scratch_project

CHAIN = """
from smttask import RecordedTask

@RecordedTask
def Next(x: int) -> int:
    return x + 1
"""


@pytest.fixture
def deep(lab: SimpleNamespace) -> RecordView:
    """The record of the task whose input is the result of another recorded one."""
    return lab.view.filter.task(lab.deep)[0]


def test_every_field_has_its_type(lab: SimpleNamespace, deep: RecordView) -> None:
    """Times are aware, durations are durations, and names are text."""
    assert deep.timestamp.tzinfo is UTC
    assert abs(datetime.now(UTC) - deep.timestamp) < timedelta(hours=1)
    assert timedelta(0) < deep.duration < timedelta(minutes=1)
    assert (deep.status, deep.tags, deep.reason, deep.outcome) == ("finished", frozenset(), "", "")
    assert (deep.task_name, deep.module, deep.main_file) == ("Analyze", "labtasks", "labtasks.py")
    assert (deep.digest, deep.full_digest) == (lab.deep.digest, lab.deep.full_digest)
    assert len(deep.version) == 40
    assert deep.diff == ""
    assert deep.script_arguments == "Analyze"
    assert deep.user
    assert deep.platform.system_name
    assert deep.executable.version
    assert {"numpy", "pydantic"} <= {dependency.name for dependency in deep.dependencies}
    assert Path(deep.working_directory) == Path(deep.repository.url) == lab.scratch.root
    assert deep.stdout_stderr == "analyzing\n"


def test_a_record_names_the_files_it_read_and_wrote(lab: SimpleNamespace, deep: RecordView) -> None:
    """Input data is the result of the upstream run, output data the manifest and large outputs."""
    upstream = lab.view.filter.task(lab.flat)[0]
    assert [Path(key.path).stem for key in deep.input_data] == [upstream.label]
    paths = [lab.scratch.project.data.output_dir / key.path for key in deep.output_data]
    assert deep.outputpath in paths
    assert all(path.is_file() for path in paths)


def test_dependencies_are_a_table(deep: RecordView) -> None:
    """The distributions of a run show themselves as a table, become one, and are a tuple still."""
    found = deep.dependencies
    table = found.dframe()
    assert list(table.columns) == ["name", "version", "path"]
    assert len(table) == len(found) == found._repr_html_().count("<tr>") - 1
    assert found.versions()["numpy"] == np.__version__
    assert f"numpy {np.__version__}" in repr(found)
    assert isinstance(found, tuple)


def test_all_files_of_a_result_are_named(lab: SimpleNamespace, deep: RecordView) -> None:
    """The manifest comes first, then the outputs that have files of their own, as for the task."""
    assert deep.resultpaths == lab.deep.resultpaths
    assert deep.resultpaths == (deep.outputpath, deep.outputpaths["power"])
    with pytest.raises(ResultNotFoundError, match="has no result"):
        lab.view.filter.tags("crashed").latest.resultpaths  # noqa: B018 - looking is what fails


def test_a_record_knows_the_type_of_its_task(lab: SimpleNamespace, deep: RecordView) -> None:
    """The task's type is the one that its module defines today."""
    assert deep.task_type is lab.tasks.Analyze


def test_a_crashed_run_tells_its_error_and_has_no_result(lab: SimpleNamespace) -> None:
    """The outcome of a crashed run is its error; asking for an output says what its status is."""
    crashed = lab.view.filter.tags("crashed").latest
    assert crashed.outcome == "ValueError: negative <x>"
    assert "Traceback" in crashed.stdout_stderr
    with pytest.raises(ResultNotFoundError, match="has no result") as caught:
        crashed.get_output()
    assert "status: crashed" in str(caught.value)


def test_a_parameter_is_found_by_path(deep: RecordView) -> None:
    """Inputs and their parts are found by name and position, through dataclasses, arrays and tasks."""
    assert deep.get_param("model.sigma") == 0.25
    assert deep.get_param("model.n") == 3
    assert deep.get_param("series.degree") == 2
    assert deep.get_param("series.series.seed") == 7
    assert deep.get_param("nothing") is None
    assert deep.get_param("model.nothing.more", 5) == 5
    assert deep.get_param("größe") == 1.0


def test_a_parameter_is_the_value_that_went_in(lab: SimpleNamespace, deep: RecordView) -> None:
    """Dataclasses, enums, arrays and tasks come back as they were given."""
    assert deep.get_param("model") == lab.tasks.Model(0.25)
    assert deep.get_param("mode") is lab.tasks.Mode.FAST
    assert deep.get_param("series") == lab.flat
    assert deep.get_param("series.series") == lab.tasks.Load(seed=7)
    assert np.array_equal(lab.view.latest.get_param("series"), [1.0, 2.0])


def test_the_task_is_made_anew_from_its_record(lab: SimpleNamespace, deep: RecordView) -> None:
    """The task of a record equals the one that ran, upstream tasks included, and finds its result."""
    assert deep.task == lab.deep
    assert deep.task.full_digest == lab.deep.full_digest
    assert deep.task.run().peak == deep.get_output("peak")
    assert deep.task.last_hit == "disk"


def test_outputs_are_loaded_by_name(lab: SimpleNamespace, deep: RecordView) -> None:
    """Each output is loaded from its own file or the manifest; a wrong name lists the right ones."""
    assert deep.get_output("peak") == 0.25
    assert np.array_equal(deep.get_output("power"), (np.arange(4) + 5) ** 2)
    assert deep.outputpaths["peak"] == deep.outputpath
    assert deep.outputpaths["power"].suffix == ".npy"
    assert lab.view.filter.task("Square").filter.tags("finished").latest.get_output() == 9.0
    with pytest.raises(OutputError, match="no output 'pique'"):
        deep.get_output("pique")


def test_the_one_output_in_a_file_of_its_own_is_the_path(lab: SimpleNamespace) -> None:
    """The path of a record with one output is that of the file that holds it."""
    flat = lab.view.filter.task(lab.flat)[0]
    assert flat.outputpath == flat.outputpaths[""] == lab.flat.outputpaths[""]


def test_records_compare_by_label_and_store(lab: SimpleNamespace) -> None:
    """Two views of one record are equal and may stand in sets."""
    label = lab.view.labels()[0]
    again = RecordView(lab.scratch.project, label)
    assert again == lab.view[0]
    assert {again, lab.view[0]} == {again}
    assert again != lab.view[1]
    with pytest.raises(RecordNotFoundError, match="There is no record 'nothing'"):
        RecordView(lab.scratch.project, "nothing")


def test_large_inputs_come_back_from_the_data_store(tmp_path: Path) -> None:
    """An array too large for the record is loaded from where it is kept, by get_param and for the task."""
    source = "from smttask import RecordedTask\nfrom smttask.typing import Array\n"
    source += "@RecordedTask\ndef Sum(x: Array[float, 1]) -> float:\n    return float(x.sum())\n"
    with scratch_project(tmp_path / "p", {"large.py": source}) as scratch:
        x = np.arange(20_000.0)
        task = scratch.load("large").Sum(x=x)
        task.run()
        record = RSView().latest
        assert np.array_equal(record.get_param("x"), x)
        assert record.task == task
        assert "float64 (20000,)" in str(record)


def test_the_task_of_a_long_chain_of_runs_is_made_anew(tmp_path: Path) -> None:
    """Each of 150 runs describes itself only; together they make the whole chain again, without recursion."""
    with scratch_project(tmp_path / "p", {"chain.py": CHAIN}) as scratch:
        module = scratch.load("chain")
        task = module.Next(x=0)
        for _ in range(149):
            task = module.Next(x=task)
        assert task.run() == 150
        record = RSView().latest
        assert record.task == task
        assert record.get_param(".".join(["x"] * 150)) == 0


def test_upstream_records_that_were_deleted_are_read_from_their_manifests(tmp_path: Path) -> None:
    """The task of a record is made anew even if the records before it were deleted."""
    with scratch_project(tmp_path / "p", {"chain.py": CHAIN}) as scratch:
        module = scratch.load("chain")
        task = module.Next(x=module.Next(x=5))
        task.run()
        first = RSView().earliest
        delete = f"DELETE FROM django_store_record WHERE db_id = {first.id}"
        scratch.run(
            "import sqlite3; store = sqlite3.connect('.smt/records');"
            f"store.execute({delete!r}); store.commit()"
        )
        assert len(RSView()) == 1
        assert RSView().latest.task == task
        RSView().latest.outputpath.with_name(f"{first.label}.json").unlink()
        with pytest.raises(DescriptionError, match="which is not described"):
            RSView().latest.task  # noqa: B018 - looking is what fails


def test_a_record_whose_module_is_gone_still_tells_everything_else(tmp_path: Path) -> None:
    """Without the module only the task cannot be had; fields, plain inputs and outputs can."""
    with scratch_project(tmp_path / "p", {"chain.py": CHAIN}) as scratch:
        scratch.load("chain").Next(x=5).run()
        scratch.forget_modules()
        (scratch.root / "chain.py").unlink()
        record = RSView().latest
        assert (record.get_param("x"), record.get_output(), record.task_name) == (5, 6, "Next")
        with pytest.raises(DescriptionError, match="chain"):
            record.task  # noqa: B018 - looking is what fails


def test_inputs_whose_classes_are_gone_are_told_by_their_parts(tmp_path: Path) -> None:
    """Without the module a dataclass and a task stand as mappings, an enum as its name; displays work."""
    source = (
        "from dataclasses import dataclass\nfrom enum import Enum\nfrom smttask import RecordedTask\n\n"
        "class Mode(Enum):\n    FAST = 'f'\n\n@dataclass\nclass Model:\n    sigma: float\n\n"
        "@RecordedTask\ndef One(x: int) -> int:\n    return x\n\n"
        "@RecordedTask\ndef Two(model: Model, mode: Mode, one: int, many: list[Model]) -> int:\n"
        "    return one\n"
    )
    with scratch_project(tmp_path / "p", {"gone.py": source}) as scratch:
        gone = scratch.load("gone")
        gone.Two(gone.Model(0.5), gone.Mode.FAST, gone.One(3), [gone.Model(1.0)]).run()
        scratch.forget_modules()
        (scratch.root / "gone.py").unlink()
        record = RSView().latest
        assert (record.get_param("model"), record.get_param("mode")) == ({"sigma": 0.5}, "FAST")
        assert (record.params.one, record.params.mode) == ({"x": 3}, "FAST")
        assert (record.get_param("many[0].sigma"), record.get_output()) == (1.0, 3)
        assert "Model(sigma=0.5)" in record.describe()
        assert len(RSView().dframe(parameters=True, outputs=True)) == len(RSView().splitby("model")) == 2
        assert str(RSView().compare(RSView()[0], RSView()[1]))
        with pytest.raises(DescriptionError, match="gone"):
            record.get_param("many")
        with pytest.raises(DescriptionError, match="gone"):
            record.task_type  # noqa: B018 - looking is what fails


def test_a_record_of_another_program_has_no_task(tmp_path: Path) -> None:
    """Asking a foreign record for its task says that it describes none."""
    from smttask.records.record import Record

    with scratch_project(tmp_path / "p") as scratch:
        record = Record(label="old", timestamp=datetime.now(UTC), parameters='{"a": 1}', status="finished")
        scratch.project.records.open_record(record)
        with pytest.raises(DescriptionError, match="describes no task"):
            RSView()["old"].task  # noqa: B018 - looking is what fails
        with pytest.raises(ResultNotFoundError, match=r"(?s)another program .*record\.output_data"):
            RSView()["old"].get_output()


def test_a_damaged_output_is_not_returned(tmp_path: Path) -> None:
    """A flipped byte in the stored result is noticed when the record is asked for its output."""
    with scratch_project(tmp_path / "p", {"chain.py": CHAIN}) as scratch:
        scratch.load("chain").Next(x=5).run()
        record = RSView().latest
        data = bytearray(record.outputpath.read_bytes())
        data[60] ^= 1
        record.outputpath.write_bytes(data)
        with pytest.raises(DamagedResultError):
            record.get_output()


def test_the_source_of_a_run_is_that_of_its_commit(tmp_path: Path) -> None:
    """`task_code` is the module as it was, whatever became of the file, and shows itself in a notebook."""
    source = (
        "from smttask import RecordedTask\n\n"
        "@RecordedTask\ndef One(x: int = 1) -> int:\n    return int(1 < 2)\n"
    )
    with scratch_project(tmp_path / "project", {"ones.py": source}) as scratch:
        scratch.run("from ones import One; One().run()")
        scratch.write({"ones.py": ""})
        record = RSView().latest
        assert record.task_code == repr(record.task_code) == source
        assert "&lt;" in record.task_code._repr_html_()
        assert record.task_code._repr_html_().startswith('<pre style="line-height:normal;background:#fff')
        record.version = "0" * 40
        del record.task_code
        with pytest.raises(RepositoryError, match=r"(?s)no ones.py of commit 0000.*fetch that project"):
            _ = record.task_code


def test_an_invalidated_run_is_computed_anew(tmp_path: Path) -> None:
    """What is stored for the task is found no more; the run and its record stay, module or not."""
    source = "from smttask import RecordedTask\n\n@RecordedTask\ndef One(x: int = 1) -> int:\n    return 1\n"
    with scratch_project(tmp_path / "project", {"ones.py": source}) as scratch:
        task = scratch.load("ones").One()
        task.run()
        record = task.record
        assert record.invalidate() is True
        assert record.invalidate() is False
        assert not task.has_run
        assert record.get_output() == 1
        assert "One" in record.describe()
        task.run()
        scratch.write({"ones.py": ""})
        scratch.forget_modules()
        assert RSView().latest.invalidate() is True
