"""The one exception that a user is meant to read."""


class BismapError(Exception):
    """Bad input or an impossible request: names the file or class, what was expected and what to do.

    The command line prints it without a traceback.
    """
