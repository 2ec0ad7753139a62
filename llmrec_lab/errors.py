"""The three ways a call can go wrong that are not the library's fault. The command line turns both into one line."""


class LabError(Exception):
    """Something outside the library needs mending; the message says what came, what was expected, and what to do."""


class DataError(LabError, ValueError):
    """The data or the argument that was passed cannot be used."""


class AssetError(LabError, RuntimeError):
    """A model or a data file is missing, damaged, or cannot be fetched."""


class LogError(LabError, RuntimeError):
    """The event log cannot store or read now: a full disk, a lock that stays, a file that may not be written."""
