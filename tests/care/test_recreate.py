"""`recreate` writes description files from which recorded tasks run anew."""

import numpy as np

from smttask import RSView
from smttask.care.recreate import recreate
from smttask.errors import DescriptionError
from smttask.tasks import Task


def test_a_task_comes_back_from_its_record(lab, tmp_path):
    """With the tasks that it depends on, whole, and its reason."""
    view = RSView(lab.project).filter.task("Ramp")
    (done,) = recreate(lab.project, view, tmp_path / "new" / "folder")
    assert done.path == tmp_path / "new" / "folder" / f"Ramp__{lab.ramp.digest}.taskdesc.json"
    task = Task.from_desc(done.path)
    assert task == lab.ramp
    assert task.x == lab.four
    assert task.x.reason == "first"
    assert np.array_equal(task.run(), lab.ramp.run())


def test_several_runs_of_one_task_share_a_file(lab, tmp_path):
    """The file is named by the task."""
    lab.four.run(recompute=True)
    view = RSView(lab.project).filter.task("Square").filter.params(eq={"x": 2.0})
    done = list(recreate(lab.project, view, tmp_path))
    assert len(done) == 2
    assert len({item.path for item in done}) == 1


def test_a_record_whose_module_is_gone_is_told_and_the_others_are_done(lab, tmp_path):
    """The error says what is missing."""
    lab.scratch.write({"other.py": (lab.root / "tasks.py").read_text()})
    lab.scratch.load("other").Square(7.0).run()
    (lab.root / "other.py").unlink()
    lab.scratch.commit()
    lab.scratch.forget_modules()
    done = list(recreate(lab.project, RSView(lab.project), tmp_path))
    assert [item.path is None for item in done] == [True, False, False, False]
    assert isinstance(done[0].error, DescriptionError)
    assert "the module of task 'Square' is gone" in str(done[0].error)
