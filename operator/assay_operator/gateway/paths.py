"""Models by path, for port-forwards and plain ingresses: `/models/<namespace>/<model>/...`.

A request whose host is no Model's, and only such a one, is given the host and the path that it means. Hosts
may be written in capitals, and are compared as they are written.
"""

from assay_operator.gateway.values import TYPES, Json, typed

FILTER = "envoy.filters.http.lua"
_LUA = "extensions.filters.http.lua.v3.Lua"
_SCRIPT = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local namespace, model, rest = string.match(headers:get(":path"), "^/models/([^/]+)/([^/]+)(/.*)$")
  if namespace then
    headers:replace(":authority", model .. "." .. namespace)
    headers:replace(":path", rest)
  else
    headers:replace(":authority", string.lower(headers:get(":authority")))
  end
  handle:clearRouteCache()
end
"""


def rewrite() -> Json:
    """Return the filter that finds Models by path."""
    return typed(FILTER, _LUA, default_source_code={"inline_string": _SCRIPT})


def off() -> Json:
    """Return what leaves a filter out where the host said enough."""
    return {"@type": f"{TYPES}config.route.v3.FilterConfig", "disabled": True}
