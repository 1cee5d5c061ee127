"""What would write the record store of another host is refused."""

import pytest

from smttask import config
from smttask.care.delete import delete, plan_deletion
from smttask.care.merge import merge
from smttask.care.rebuild import rebuild
from smttask.care.surrogates import create_surrogates
from smttask.errors import RecordStoreError
from smttask.records.backup import copy_sqlite
from smttask.records.deletion import delete_records


def test_records_are_cared_for_where_they_are_written(lab, tmp_path):
    """One message for all commands; results and records stay as they are, and looking is allowed."""
    label = lab.ramp.record.label
    plan = plan_deletion(lab.project, [label])
    file = lab.ramp.save(tmp_path)
    store = lab.project.records
    copy = copy_sqlite(store.path, tmp_path / "copy")
    with config.use(record_store="journal"):
        for done, act in (
            ("deleted", lambda: delete(lab.project, plan)),
            ("merged", lambda: merge(lab.project, copy)),
            ("rebuilt", lambda: rebuild(lab.project)),
        ):
            with pytest.raises(RecordStoreError, match=f"are not {done} here") as caught:
                act()
            assert "smttask store rebuild --here" in str(caught.value)
        assert create_surrogates(lab.project, file)[-1].is_new is False
    assert lab.ramp.has_run
    assert store.has(label)
    delete_records(store, [label])
    with config.use(record_store="journal"), pytest.raises(RecordStoreError, match="are not made here"):
        create_surrogates(lab.project, file)
