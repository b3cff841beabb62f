"""A user's project: a copy of this one in a git repository of its own, with packages beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from experiments import journal
from tests.conftest import PROJECT, command
from tests.provenance.test_origin import git

NET = """
from experiments.models import SimpleNet

class Net(SimpleNet):
    def forward(self, x):
        return super().forward(x) * {factor}
"""
USUAL = ("data=digits", "trainer.epochs=2", "tracking=none", "trainer.threads=1")


class Project:
    """A copy of the project below a folder, in which commands run as a user would run them."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder, self.beside, self.root = folder / "project", folder / "beside", root
        for name in ("src", "conf"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, self.folder / name, ignore=ignored)
        for name in ("train.py", ".gitignore"):
            shutil.copy(PROJECT / name, self.folder / name)
        self.write("own_net.py", NET.format(factor=1))
        git(self.folder, "init", "-q")
        self.commit("first")

    def write(self, name: str, content: str) -> None:
        """Write a file of the project, or with `../beside/` in front one beside it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def commit(self, message: str) -> None:
        """Commit all changes."""
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-qm", message)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Python finds this copy, and not the tested one."""
        places = (self.folder / "src", self.beside)
        return {"PYTHONPATH": os.pathsep.join(map(str, places))}

    def train(self, name: str, *overrides: str, status: int = 0, **environment: str) -> Path:
        """Train a run or a sweep; return its folder."""
        folder = self.folder / "outputs" / name
        key = "hydra.sweep.dir" if "-m" in overrides else "hydra.run.dir"
        places = (f"data.root={self.root}", f"{key}=outputs/{name}")
        many = ("-m",) if "-m" in overrides else ()
        own = overrides[len(many) :]
        program = (sys.executable, "train.py", *many, *USUAL, *places, *own)
        done = command(*program, cwd=self.folder, **self.environment, **environment)
        assert done.returncode == status, done.stderr
        assert (folder / journal.NAME).exists(), done.stdout
        return folder

    def experiments(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command `experiments`."""
        program = (sys.executable, "-m", "experiments", *arguments)
        return command(*program, cwd=cwd or self.folder, **self.environment | environment)

    def reproduce(
        self, run: Path, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Reproduce and verify a run; nothing but an unequal run may stay."""
        before, kept = self.state(), self.reproduced()
        temporary = self.folder.parent / "temporary"
        temporary.mkdir(exist_ok=True)
        environment["TMPDIR"] = str(temporary)
        done = self.experiments(
            "reproduce", str(run), "--verify", *arguments, cwd=cwd, **environment
        )
        assert self.state() == before
        assert list(temporary.iterdir()) == []
        assert (self.reproduced() > kept) == ("instead of" in done.stdout)
        return done

    def reproduced(self) -> set[Path]:
        """Return the folders of reproduced runs that were kept."""
        return set(self.folder.glob("outputs/reproduced/*"))

    def state(self) -> tuple[bytes, bytes, bytes, list[str]]:
        """Return everything that reproducing may not change: git's state, and the identities."""
        told = ("worktree list", "status --porcelain", "for-each-ref")
        has_git = (self.folder / ".git").exists()
        answers = [git(self.folder, *each.split()) if has_git else b"" for each in told]
        identities = sorted(map(str, self.folder.glob("outputs/.identities/**/*")))
        return answers[0], answers[1], answers[2], identities
