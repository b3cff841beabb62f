"""A class edited during a process is trained as it is on the disk, as the command would."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import told_by

SCRIPT = """
OWN = '''
from experiments.models import SimpleNet
from helper import FACTOR

class Net(SimpleNet):
    def forward(self, x):
        return super().forward(x) * FACTOR
'''
Path("own.py").write_text(OWN)
Path("helper.py").write_text("FACTOR = 1")
import own
old = own.Net

def once():
    return train([*OFFLINE, "trainer.epochs=1", "model._target_=own.Net"], config_dir=conf)

conf = "../project/conf"
os.rename("../project/own.py", "../project/hidden.py")
plain = train([*OFFLINE, "trainer.epochs=1"], config_dir=conf)
same, again = once(), once()
kept = sys.modules["own"]
same.load()
assert sys.modules["own"] is kept  # nothing has changed, so nothing is imported anew
Path("helper.py").write_text("FACTOR = 3")
edited = once()
Path("helper.py").write_text("FACTOR = 1")
back = once()

def close(one, other):  # a chain of linear layers has other last bits than a model with a factor
    return all(map(torch.allclose, one.weights.values(), other.weights.values()))

told |= {
    "same": close(plain, same),
    "edited": close(plain, edited),
    "identities": len({each.identity for each in (plain, same, edited)}),
    "back": back == same == again,
}
"""


def test_an_edited_module_is_trained_as_it_is_on_the_disk(place: Path, root: str) -> None:
    told = told_by(SCRIPT, place / "elsewhere", root)
    assert told["same"]
    assert not told["edited"]
    assert told["identities"] == 3
    assert told["back"]
