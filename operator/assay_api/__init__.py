"""The contract with users: what they write in YAML, as frozen typed values."""

from assay_api.resource import API_VERSION, GROUP, VERSION, Metadata, Ref

__all__ = ["API_VERSION", "GROUP", "VERSION", "Metadata", "Ref"]
