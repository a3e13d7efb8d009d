"""The page on scaling out on real clusters: its blocks run on two worker processes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guide" / "scaling_out.md"
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<needs>[^\n]+) -->\n+)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)

pytestmark = [
    pytest.mark.long,  # each starts a cluster
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def run_page(needs, tmp_path, monkeypatch, **given):
    """Run the blocks that need nothing, and those that need this."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__", **given}
    n_run = 0
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if match["needs"] in (None, needs):
            code = match["code"].replace("tcp://scheduler:8786", given.get("address", ""))
            exec(compile(code, str(PAGE), "exec"), names)
            n_run += match["needs"] == needs
    assert n_run
    return names


def test_dask(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        names = run_page(
            "it needs a cluster of Dask", tmp_path, monkeypatch, address=cluster.scheduler_address
        )
        names["client"].close()
    assert names["search"].best_score_ > 0.5
    assert len(names["labels"]) == len(names["train"])
    assert len(names["forecasts"]) == 12 and len(names["forecasts"][0]) == 6
    assert names["model"].n_iter_ == 30


def test_optuna(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    names = run_page("it needs Optuna", tmp_path, monkeypatch)
    study = names["optuna"].load_study(study_name="units", storage=names["storage"])
    assert len(study.trials) == 5 and study.best_value > 0.5


def test_spark(tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = session.getOrCreate()
    names = run_page("it needs a cluster of Spark", tmp_path, monkeypatch, session=session)
    session.stop()
    assert len(names["labels"]) == len(names["train"])


@pytest.mark.parametrize("name", ["out_of_core", "dask_cluster"])
def test_examples(name, tmp_path):
    if name == "dask_cluster":
        pytest.importorskip("distributed")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py"], cwd=tmp_path, check=False,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
