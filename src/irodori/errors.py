"""Errors that a user can act on.  Each message is one sentence: what was given, what was expected, what to do."""


class IrodoriError(Exception):
    """Base of every expected failure; the command line prints its message alone and exits with code 2."""


class InputError(IrodoriError):
    """An image, a folder or an argument that cannot be used."""


class FormatError(InputError):
    """A file that is no picture, or one of a kind that is not read."""


class SizeError(InputError):
    """A picture with more pixels than are allowed."""


class ConfigError(IrodoriError):
    """An unknown key, a wrong type or a value out of range in a configuration."""


class WeightsError(IrodoriError):
    """A weight file that is missing, damaged, of another system, or unsafe to open."""


class DataError(IrodoriError):
    """A data set or a source of one that cannot be prepared or read."""


class MissingPackageError(IrodoriError):
    """A package of an extra that is not installed; the message names the extra."""
