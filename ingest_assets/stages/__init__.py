"""Do the work of the pipeline, one verb per module, in the order a file travels.

receive → parse → caption → chunk → embed → publish, and search. No Dagster, no environment, no clock: what does I/O
is passed in.
"""
