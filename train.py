"""Train and test one model: `python train.py optimizer.lr=0.01`; add -m to sweep."""

from experiments.process.signals import end_at_once

if __name__ == "__main__":
    end_at_once()  # on Ctrl-C or SIGTERM, because the imports below take long

import hydra
from omegaconf import DictConfig

from experiments.app import run
from experiments.composition.entry_point import one_line_errors


@one_line_errors
@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    """Run one configuration; return its objective, which a sweep ranks."""
    return run(cfg)


if __name__ == "__main__":
    main()
