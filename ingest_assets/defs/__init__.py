"""Wrap the stages for Dagster: partitions, resources, IO managers, assets, checks, jobs, sensors, schedules."""
