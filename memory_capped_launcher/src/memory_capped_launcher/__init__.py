"""A run launcher for any Dagster project: each run is forked from a warm process, capped, watched, ended by name.

`run_launcher.MemoryCappedRunLauncher` is what `dagster.yaml` names; `docs/launcher.md` is its manual. What reads what:

run_launcher      what Dagster calls
limits            configuration and tags in, one run's limits out
host_memory       how much memory there is
register          which runs are in whose charge, on disk
protocol          one JSON line and one file descriptor over a socket
warm_client       finding, starting and asking the warm process
warm_process      the warm process
cold_process      a run without it
preload           importing once what every run needs
migrations        what Dagster's storages read anew whenever they are opened, read once
supervisor        one run from its turn to its end
run_process       the process in which Dagster executes the run
connections       its SQLite connections, kept for as long as it lasts
caps, cgroups     how the cap is enforced
process_tree      how much memory a run and its children hold
log_file          what the run printed
outcomes          the named ends, in words
reporting         telling Dagster
instance_settings what dagster.yaml says about runs
stack             the processes of a home, by role, and what they hold
inspection, plan  what there is; what is in force and what is wrong with it
"""
