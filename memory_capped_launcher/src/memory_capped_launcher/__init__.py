"""Launch each run of a Dagster project in a process of its own, under a hard memory cap, and name how it ended.

`dagster.yaml` names `run_launcher.MemoryCappedRunLauncher`; the README beside this package is the manual. Each run is
forked from a warm process that has the definitions imported already. The modules, in the order in which a run meets
them:

run_launcher               the class that Dagster calls
limits                     the configuration and a run's tags become the limits of that run
request                    what the launcher hands over for one run
register                   the files that say which supervisor has which run
outcomes                   the names of the ends, and how a run's end gets its name
errors, linux              the errors; the calls of Linux that Python does not offer
dagster_private            every private name of Dagster that this package uses

warm/                      the process that runs are forked from
  warm_client              find or start the warm process and hand it a run
  warm_process             the warm process itself
  loaded_code              say which definitions a code server has loaded
  cold_process             execute one run without a warm process
  preload                  import once what every run needs; notice when that is out of date
  learning                 import once what the runs of this host turn out to need
  migrations               read Dagster's migration scripts once
  background               fork, and leave the process that started this one
  protocol                 one JSON line and one open file over a Unix socket

supervision/               one run from its turn to its end
  supervisor               wait for the run's turn, enforce its limits, clean up
  run_process              the process in which Dagster executes the run
  connections              keep its SQLite connections open
  caps, cgroups            the two ways to enforce the memory cap
  process_tree             a run's processes and the memory that they hold
  log_file                 what the run printed, in a file of bounded size
  reporting                write the end into Dagster
  sweep                    name the ends of runs whose supervisor died

host/                      what there is on a host, for `doctor` commands
  host_memory              the memory of the host or container
  instance_settings        what `dagster.yaml` says about launching and queueing
  stack                    the processes of a Dagster home and what they hold
  inspection, plan         gather these facts; judge them
"""
