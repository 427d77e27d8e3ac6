"""Every error that a user's input can cause. Each reads `subject: expected X, got Y. Do Z.`

The command line turns an EdgebertError into one line on stderr and exit code 2; anything else is a defect of ours
and keeps its traceback.
"""


class EdgebertError(Exception):
    """Base of the errors below."""


class CheckpointError(EdgebertError):
    """A checkpoint folder that cannot be read, or does not describe what its tensors hold."""


class DataError(EdgebertError):
    """A data file, row, column or label that cannot be used."""


class TokenizerError(EdgebertError):
    """A vocabulary or tokenizer setting that is not WordPiece as phones' clients understand it."""


class TrainingError(EdgebertError):
    """A training run that cannot start, or went wrong on its way."""


class ArtefactError(EdgebertError):
    """A .tflite that cannot be read, or is not what was asked for."""


class ClientError(EdgebertError):
    """A client (Task Library, MediaPipe, LiteRT, ...) that cannot be installed or started."""


class MeasurementError(EdgebertError):
    """A measurement that cannot be taken, read or compared."""


class OutputError(EdgebertError):
    """A result that cannot be written."""
