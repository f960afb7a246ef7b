"""Errors of this package whose message is meant for the user's eyes.

ModelError
├── ReleaseError   a release folder is missing, incomplete or not fit to serve
└── CorpusError    training or evaluation data could not be read
"""


class ModelError(Exception):
    """Base of every error of this package that the command line prints without a traceback."""


class ReleaseError(ModelError):
    """A release folder is missing, incomplete or not fit to serve."""


class CorpusError(ModelError):
    """Training or evaluation data could not be read."""
