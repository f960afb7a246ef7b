"""Errors whose message is meant for the user's eyes.

MoodlineError
├── SettingsError    a setting or environment variable is missing or wrong
├── SourceError      nothing could be read from a file, folder or service
├── StoreError       the warehouse or a snapshot could not be read or written
├── DeliveryError    an alert could not be handed to its receiver
└── (models.errors.ReleaseError stands apart: models do not know the pipeline)
"""


class MoodlineError(Exception):
    """Base of every error that the command line prints without a traceback."""


class SettingsError(MoodlineError):
    """A setting or environment variable is missing or wrong."""


class SourceError(MoodlineError):
    """Nothing could be read from a file, folder or service."""


class StoreError(MoodlineError):
    """The warehouse or a snapshot could not be read or written."""


class DeliveryError(MoodlineError):
    """An alert could not be handed to its receiver."""
