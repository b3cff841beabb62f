"""Test accuracy over seeds: the article's loop and train.py, with and without momentum.

`benchmarks.article` names the article. `python -m benchmarks.accuracy --article` runs its loop
(17 minutes) and keeps the results; without the flag the kept results are compared with new runs of
train.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks import article
from benchmarks.report import RESULTS, as_command, report
from experiments.provenance.origin import processor

SEEDS = range(15)
SETTINGS = {"momentum 0.9": ("article", 0.9), "plain": ("article_plain", 0.0)}
KEPT = RESULTS / "article_accuracy.json"
PROJECT = Path(__file__).parent.parent


def run_article() -> None:
    """Run the article's loop once per seed and setting; keep the accuracies (0 to 1)."""
    import torch

    torch.set_num_threads(1)
    root = str(Path("~/.pytorch/MNIST_data/").expanduser())
    kept: dict[str, object] = {"date": str(datetime.date.today()), "processor": processor()}
    for name, (_, momentum) in SETTINGS.items():
        kept[name] = [
            article.run(root, seed=seed, epochs=10, momentum=momentum, say=lambda _: None)
            for seed in SEEDS
        ]
        print(name, kept[name], flush=True)
    KEPT.write_text(json.dumps(kept, indent=2) + "\n")


def run_ours(experiment: str, seed: int) -> float:
    """Run train.py in a process of its own; return its test accuracy (0 to 1)."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = (f"experiment={experiment}", f"seed={seed}", "tracking=none")
        subprocess.run(
            [sys.executable, str(PROJECT / "train.py"), *overrides, f"hydra.run.dir={folder}/run"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        lines = (Path(folder) / "run" / "journal.jsonl").read_text().splitlines()
        events = [yaml.safe_load(line) for line in lines]
        (metrics,) = (e["metrics"] for e in events if "test_accuracy" in e.get("metrics", {}))
        return metrics["test_accuracy"]


def main(*, article: bool = False) -> None:
    """Run the article's loop if asked, and report the comparison."""
    if article:
        run_article()
    kept = json.loads(KEPT.read_text())
    rows = []
    for name, (experiment, _) in SETTINGS.items():
        for who, values in (
            (f"article's loop ({kept['date']})", kept[name]),
            ("train.py", [run_ours(experiment, seed) for seed in SEEDS]),
        ):
            percent = [100 * value for value in values]
            mean, deviation = statistics.mean(percent), statistics.stdev(percent)
            each = " ".join(f"{value:.2f}" for value in percent)
            rows.append((name, who, f"{mean:.2f} ± {deviation:.2f}", each))
    header = ("setting", "loop", "test accuracy, % (mean ± s, n=15)", "seeds 0 to 14")
    report("accuracy", "Test accuracy after 10 epochs on MNIST", header, rows)


def add_article(parser: argparse.ArgumentParser) -> None:
    """Add the option to run the article's loop."""
    parser.add_argument("--article", action="store_true", help="run the article's loop as well")


if __name__ == "__main__":
    as_command(main, __doc__, add_article)
