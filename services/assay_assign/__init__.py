"""Who sees what: one pure function for the operator, the collector, the audit and the tests."""

from assay_assign.answer import SLOWER_THAN, SLOWER_THAN_US, is_failure
from assay_assign.audit import UNENROLLED, assigned
from assay_assign.hashing import pseudonym, slot
from assay_assign.layer import SLOTS, Span, gaps, room
from assay_assign.slots import Interval, arm_at, decode, encode, table

__all__ = [
    "SLOTS",
    "SLOWER_THAN",
    "SLOWER_THAN_US",
    "UNENROLLED",
    "Interval",
    "Span",
    "arm_at",
    "assigned",
    "decode",
    "encode",
    "gaps",
    "is_failure",
    "pseudonym",
    "room",
    "slot",
    "table",
]
