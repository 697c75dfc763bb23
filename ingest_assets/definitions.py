"""Load the whole project for Dagster, with the settings of the environment."""

from ingest_assets.config.settings import load_settings
from ingest_assets.defs.definitions import build

defs = build(load_settings())
