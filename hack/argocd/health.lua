-- Argo CD's health of a Model, a ModelVersion or an Experiment, from its conditions (docs/concepts.md).
-- The worst comes first; what is over or waits without a fault is Suspended, as it needs a person.

local ASKS = { WaitingForApproval = true, Suspended = true }

local function health(status, condition)
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

local metadata, status = obj.metadata, obj.status or {}
if metadata.deletionTimestamp then
  return { status = "Progressing", message = "is being deleted" }
end
if status.observedGeneration ~= metadata.generation then
  return { status = "Progressing", message = "the operator has not looked at the present spec yet" }
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is(kind, wanted)
  return conditions[kind] and conditions[kind].status == wanted
end

if is("Degraded", "True") then
  return health("Degraded", conditions.Degraded)
end
if is("Stalled", "True") then
  return health("Suspended", conditions.Stalled)
end
if is("Progressing", "True") then
  local asks = ASKS[conditions.Progressing.reason]
  return health(asks and "Suspended" or "Progressing", conditions.Progressing)
end
if is("Ready", "True") then
  return health("Healthy", conditions.Ready)
end
return { status = "Progressing", message = "it has no condition Ready yet" }
