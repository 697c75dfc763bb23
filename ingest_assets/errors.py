"""Define the errors that this project raises, grouped by who has to act on them.

IngestError
├── BadInput        the file is at fault: record it by name, go on with the next
├── OutsideError    a service is at fault: try again later
└── ConfigError     the operator is at fault: stop now, naming every problem at once

Each message says what, where and what to do.
"""


class IngestError(Exception):
    """Root of every error that this project raises on purpose."""


class BadInput(IngestError):
    """The file is at fault: record it by name, go on with the next."""


class OutsideError(IngestError):
    """A service is at fault: try again later."""


class ConfigError(IngestError):
    """The operator is at fault: stop now, naming every problem at once."""
