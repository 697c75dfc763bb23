"""Plan the runs of files: whose turn it is, with which window, and with which after a run out of memory."""
