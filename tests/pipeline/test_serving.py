import subprocess
import sys

import pytest

from models.errors import ReleaseError
from pipeline.config import REPOSITORY
from pipeline.serving import active_classifier

_ONE_TEXT = """
import sys
from pathlib import Path
from pipeline.cli import app
from pipeline.config import Home
from pipeline.serving import active_classifier
active_classifier(Home(Path("/nonexistent"))).score(["where is my parcel"])
print(*sorted({"duckdb", "pandas", "presidio_analyzer", "spacy", "prefect", "torch"} & set(sys.modules)))
"""


def test_scoring_loads_nothing_it_does_not_need():
    line = [sys.executable, "-c", _ONE_TEXT]
    done = subprocess.run(line, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.split() == []


def test_a_damaged_release_is_told_by_its_folder(home, shipped):
    folder = home.releases / "broken"
    folder.mkdir(parents=True)
    for path in shipped.iterdir():
        (folder / path.name).write_bytes(path.read_bytes()[:1000] if path.suffix == ".onnx" else path.read_bytes())
    (home.releases / "ACTIVE").write_text("broken\n")
    with pytest.raises(ReleaseError, match=r"broken: cannot be loaded .*moodline rollback"):
        active_classifier(home)
