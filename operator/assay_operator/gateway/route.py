"""What the operator wants of the gateway: one route a Model, in the words of the domain."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from assay_assign import SLOTS, Interval

ALL = 100
LAST_PORT = 65_535
PLAIN = re.compile(r"[A-Za-z0-9._-]+")  # safe in a substitution, a format and a table's text
RESERVED = frozenset({"none", "unenrolled", "champion", "_shadow"})  # words of the exposure log


class Endpoint(NamedTuple):
    """A pod that is ready, or a Service, by its IP address."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Backend:
    """A ModelVersion and the pods of it that are ready now; none is a legal answer.

    Attributes:
        version: Its name.
        endpoints: Its ready pods.
        service: The cluster address of its Service. Kubernetes keeps it on the pods that are ready, so it is
            right for as long as the Service lives, however old the endpoints are.

    Raises:
        ValueError: An endpoint or the Service is no IP address with a port.
    """

    version: str
    endpoints: tuple[Endpoint, ...] = ()
    service: Endpoint | None = None

    def __post_init__(self) -> None:
        for address, port in (*self.endpoints, *([self.service] if self.service else [])):
            ip_address(address)
            if not 0 < port <= LAST_PORT:
                raise ValueError(f"port {port} of {address} is not within 1 to {LAST_PORT}")


@dataclass(frozen=True, slots=True)
class ArmRoute:
    """An arm and the version that serves it."""

    name: str
    backend: Backend


@dataclass(frozen=True, slots=True)
class Split:
    """A running Experiment.

    Attributes:
        uid: The Experiment's UID: its key in the exposure log, and the salt of the hash unless there is one.
        epoch: Grows with every change of the table.
        header: The request header that names the unit.
        arms: The first one is the control.
        table: Slots of each arm; who has none is unenrolled and sees the champion.
        salt: Of the layer, if it shares its units with other Experiments.

    Raises:
        ValueError: The table isn't ascending within the 10,000 slots, or an arm, header, salt or UID cannot
            be written into Envoy's configuration.
    """

    uid: str
    epoch: int
    header: str
    arms: tuple[ArmRoute, ...]
    table: tuple[Interval, ...]
    salt: str = ""

    def __post_init__(self) -> None:
        for name, word in (("uid", self.uid), ("salt", self.salt or self.uid)):
            if not PLAIN.fullmatch(word):
                raise ValueError(f"{name} {word!r} may hold letters, digits, '.', '_' and '-' only")
        if not PLAIN.fullmatch(self.header) or self.header.lower().startswith(("x-assay-", "x-envoy-")):
            raise ValueError(f"unit header {self.header!r} is no header's name, or one that the gateway owns")
        self._check_arms()
        self._check_table()

    def _check_arms(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms {names} are not distinct")
        for name in names:
            if name in RESERVED or not PLAIN.fullmatch(name):
                raise ValueError(
                    f"arm {name!r} is reserved ({', '.join(sorted(RESERVED))}) or not a plain word"
                )

    def _check_table(self) -> None:
        names, before = {arm.name for arm in self.arms}, 0
        for arm, start, end in self.table:
            if not before <= start <= end <= SLOTS:
                raise ValueError(f"table: {arm}:{start}-{end} is not ascending within 0 to {SLOTS}")
            if arm not in names:
                raise ValueError(f"table: arm {arm!r} is none of {sorted(names)}")
            before = end


@dataclass(frozen=True, slots=True)
class Shadow:
    """A version that is shown requests, and whose answers nobody sees.

    Attributes:
        backend: The version.
        percent: Of the requests that are answered by somebody else, above 0 and at most 100.

    Raises:
        ValueError: The percentage is none.
    """

    backend: Backend
    percent: float = 100

    def __post_init__(self) -> None:
        if not 0 < self.percent <= ALL:
            raise ValueError(f"percent {self.percent} must be above 0 and at most {ALL}")


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """Everything the gateway must know of one Model.

    Attributes:
        namespace: Of the Model.
        name: Of the Model.
        champion: Serves everybody who is in no arm, and whoever an arm fails.
        split: The running Experiment, if any.
        retry_executed: Whether a request that the model may have executed already (it answered 5xx, or the
            connection broke) may be sent again. Predictions may; calls with side effects may not.
        timeout_seconds: How long a caller waits at most. While a split runs each of the two attempts has
            half of it, so that the champion can still answer when an arm hangs.
        shadow: The version that requests are copied to, if any.
    """

    namespace: str
    name: str
    champion: Backend
    split: Split | None = None
    retry_executed: bool = True
    timeout_seconds: float = 30
    shadow: Shadow | None = None

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0:
            raise ValueError(f"timeout_seconds {self.timeout_seconds} must be above 0")
