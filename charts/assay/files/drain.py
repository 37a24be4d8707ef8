"""Ask Envoy to close connections politely, then give the rest of the cluster time to forget this pod.

Envoy ends at once on SIGTERM. So before that, it answers every request with `connection: close`,
while the operator takes this pod out of every endpoint and kube-proxy follows.
"""

# ruff: noqa: INP001  a script, which the chart mounts beside Envoy's bootstrap

import sys
import time
import urllib.error
import urllib.request


def main(seconds: float, admin: str = "http://127.0.0.1:9901") -> None:
    """Mark the Envoy of that admin interface as leaving, and wait for `seconds`."""
    request = urllib.request.Request(f"{admin}/healthcheck/fail", method="POST")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever HTTP_PROXY says
    try:
        direct.open(request, timeout=2).close()
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"cannot ask Envoy to drain, only waiting: {error}", file=sys.stderr)
    time.sleep(seconds)


main(float(sys.argv[1]), *sys.argv[2:])
