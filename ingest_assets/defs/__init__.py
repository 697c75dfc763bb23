"""Dagster shells over the stages: partitions, resources, IO managers, assets, checks, jobs, sensors, schedules."""
