"""What all tests share: the environment kept out, the sample at hand, one loaded release."""

import os
from pathlib import Path

import pytest

from models.classifier import Classifier
from models.release import Releases
from pipeline.config import REPOSITORY, Home

os.environ.update(PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")


@pytest.fixture(autouse=True)
def _no_user_settings(monkeypatch):
    for name in ("MOODLINE_HOME", "MOODLINE_ALERT_URLS", "MOODLINE_ID_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture()
def home(tmp_path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def sample() -> Path:
    """The files of Fernhollow."""
    return REPOSITORY / "data" / "samples" / "fernhollow"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The folder of the newest shipped release."""
    return Releases(Path("/nonexistent")).active()


@pytest.fixture(scope="session")
def classifier(shipped) -> Classifier:
    """The newest shipped release, loaded once."""
    return Classifier.load(shipped)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public data, for tests on real input."""
    folder = os.environ.get("MOODLINE_SHARED")
    if not folder:
        pytest.skip("needs the public data: set MOODLINE_SHARED to its folder")
    return Path(folder)
