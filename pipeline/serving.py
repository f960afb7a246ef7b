"""The release that serves a home, ready to score: no store, no redaction, so that ``moodline score`` stays small."""

from models.classifier import Classifier
from models.errors import ModelError, ReleaseError
from models.release import Releases
from pipeline.config import Home


def active_classifier(home: Home) -> Classifier:
    """Load the release that serves in this home.

    Raises:
        ReleaseError: there is none, or its files are damaged.
    """
    folder = Releases(home.releases).active()
    try:
        return Classifier.load(folder)
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime and tokenizers raise bare exceptions of their own over damaged files
        raise ReleaseError(
            f"{folder}: cannot be loaded ({' '.join(str(error).split())[:200]}); restore it, or `moodline rollback`"
        ) from error
