"""Who sees what: one pure function for the operator, the collector, the audit and the tests."""

from assay_assign.hashing import pseudonym, slot
from assay_assign.slots import SLOTS, Interval, arm_at, decode, encode, table

__all__ = ["SLOTS", "Interval", "arm_at", "decode", "encode", "pseudonym", "slot", "table"]
