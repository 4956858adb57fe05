"""The configuration: one typed model, read from config.yaml. No stage imports this package."""

from bismap.config.load import check_config, load_config
from bismap.config.model import Config
from bismap.config.schema import json_schema

__all__ = ["Config", "check_config", "json_schema", "load_config"]
