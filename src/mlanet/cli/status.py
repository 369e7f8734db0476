"""Exit statuses that all verbs share."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
"""128 and the number of SIGPIPE, as of programs that the signal ends."""

EXIT_TERMINATED = 143
