"""Any key, value or folder name reaches MLflow, or is refused without harm to the rest."""

from __future__ import annotations

import itertools
import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_param_name
from sqlalchemy.engine import make_url

from experiments.journal import Journal
from experiments.tracking.delivery import Delivery
from experiments.tracking.spelling import spelled
from experiments.tracking.sqlite import sqlite_address, sqlite_file
from tests.conftest import Program, command
from tests.tracking.conftest import START, TRAIN, usual
from tests.tracking.test_places import assert_whole

KEYS = [
    *(
        "k@1",
        "k#1",
        "k_1",
        "k 1",
        "k:1",
        "b//c",
        "b/c",
        "b_c",
        "b/./c",
        "b/../c",
        "../c",
        "..",
        ".",
    ),
    *("/a", "a/", "a", "", "x" * 260, "x" * 261, "x" * 250, "ä.ö", "a\nb", "a\tb", "(1)", "_1_"),
    *("y@" * 200, "y#" * 200, "..x", "...", "a//", "//", "a" * 249 + "/", "🦊", "\udcff"),
]


def test_every_key_is_one_that_mlflow_takes_and_no_two_fall_together() -> None:
    found = spelled({key: str(number) for number, key in enumerate(KEYS)})
    assert list(found.values()) == [str(number) for number in range(len(KEYS))]
    for key in found:
        _validate_param_name(key)
        assert 0 < len(key) <= 250
    plain = ["k_1", "k 1", "k:1", "b/c", "a", "ä.ö", "x" * 250]
    assert [key for key in plain if key in found] == plain


@pytest.mark.parametrize("pair", [*itertools.combinations(["k@1", "k#1", "k_1"], 2)])
def test_a_key_s_spelling_does_not_depend_on_the_order(pair: tuple[str, str]) -> None:
    there, back = (spelled(dict.fromkeys(keys, "x")) for keys in (pair, pair[::-1]))
    assert set(there) == set(back)
    assert len(there) == 2


def test_nothing_that_mlflow_refuses_holds_back_the_rest(
    client: MlflowClient, uri: str, tmp_path: Path
) -> None:
    params = {f"key.{number}": str(number) for number in range(250)}
    odd = {
        "nul": "a\0b\udcff",
        "k@1": "a",
        "k#1": "b",
        "b//c": "c",
        "l" * 260: "d",
        "long": "x" * 7000,
    }
    tags = {f"tag.{number}": "t" for number in range(150)} | {
        "t" * 300: "refused",
        "long": "x" * 9000,
        "odd": "a\0b\udcff",
    }
    data = {"name": "d" * 600, "digest": "0" * 40, "source": "somewhere"}
    (tmp_path / "there.txt").write_text("x")
    with Journal(tmp_path) as journal:
        own = {"id": uuid.uuid4().hex, "params": params | odd, "dataset": data}
        journal.write("start", **START | own)
        journal.write("tags", tags=tags)
        journal.write("artifacts", names=["gone.txt", "there.txt"])
        journal.write("metrics", metrics={f"m{n}": n for n in range(150)} | {"m@": 1.0}, step=1)
        journal.write("end", status="FINISHED")
    delivery = Delivery(tmp_path, uri)
    delivery.deliver(client)
    assert delivery.complete
    run = client.get_run(str(delivery.run_id))
    assert run.info.status == "FINISHED"
    assert len(run.data.params) == 256
    assert run.data.params["nul"] == run.data.tags["odd"] == r"a\0b\udcff"
    assert {"a", "b", "c", "d"} <= set(run.data.params.values())
    assert sum(key.startswith("tag.") for key in run.data.tags) == 150
    assert len(run.data.metrics) == 150
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id)] == ["there.txt"]
    for name in ("dataset", "t" * 250, "gone.txt", "m@"):
        assert name in run.data.tags["mlflow_refused"]


@pytest.mark.parametrize(
    "folder", ["a?b", "a#b", "a%20b", "a b", "100%", "ä", "a?b=c&d", "x'y", 'x"y', "a\\b", "?"]
)
def test_a_sqlite_address_names_its_file(tmp_path: Path, folder: str) -> None:
    database = tmp_path / folder / "mlflow.db"
    assert sqlite_file(sqlite_address(database)) == database
    assert make_url(sqlite_address(database)).database == str(database)


@pytest.mark.slow
def test_a_project_s_folder_may_be_called_anything(tmp_path: Path, root: str) -> None:
    folder = tmp_path / "is it? 100% #1 a%3Fb"
    folder.mkdir()
    for _ in range(2):
        done = command(*TRAIN, *usual(root), cwd=folder)
        assert done.returncode == 0, done.stderr
        assert_whole(folder / "mlflow.db")
    assert list(tmp_path.iterdir()) == [folder]
    made = {path.name for path in folder.iterdir()} - {".mlflow.db.lock"}
    assert made == {"outputs", "mlflow.db"}


def test_what_follows_a_question_mark_in_an_address_is_an_option(
    offline: Program, tmp_path
) -> None:
    done = offline(f"tracking.uri='sqlite:///{tmp_path}/is it?/mlflow.db'")
    assert done.returncode == 2
    assert "write %3F for a ? in a path" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
