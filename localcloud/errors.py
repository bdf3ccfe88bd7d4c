"""The one error of the local cloud as a whole."""


class CloudError(Exception):
    """The local cloud cannot start or go on; the message is one line that says what is missing and what to do."""
