"""Ask Envoy to close connections politely, then give the rest of the cluster time to forget this pod.

Envoy ends at once on SIGTERM. So before that, it answers every request with `connection: close`,
while the operator takes this pod out of every endpoint and kube-proxy follows.
"""

import sys
import time
import urllib.error
import urllib.request

ADMIN = "http://127.0.0.1:9901"


def main(seconds: float) -> None:
    """Mark this Envoy as leaving, and wait for `seconds`."""
    request = urllib.request.Request(f"{ADMIN}/healthcheck/fail", method="POST")
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"cannot ask Envoy to drain, only waiting: {error}", file=sys.stderr)
    time.sleep(seconds)


main(float(sys.argv[1]))
