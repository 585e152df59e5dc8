-- holds(run): reads what a run holds: number of the key of its events (0: it keeps none), and the lanes in which it took tickets
-- at ingress: their number, a lane each.
-- @include arg
-- @include key
-- @include lane
local function holds(run)
  run.events = key()
  run.tickets = {}
  for position = 1, arg() do run.tickets[position] = lane() end
end
