"""What a verb ends in when it cannot go on: what is wrong, and what to change. Raised everywhere, told by __main__."""

from __future__ import annotations


class DeployError(Exception):
    """A reason and the next step, both sentences for people."""

    exit_code = 1

    def __init__(self, reason: str, next_step: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step
        self.lines = lines
        """The last log lines, where there are some."""


class Usage(DeployError):
    """What was typed is no command: nothing was read and nothing asked."""

    exit_code = 64  # EX_USAGE of sysexits.h; argparse's own 2 is `plan`'s word for changes
