-- tell: keeps events that calls under way tell of open runs; of other runs they are dropped.
-- KEYS   those that ARGV names by their numbers
-- ARGV   the most events kept of a run, how many told; each: number of its run's key, number of its events' key, what `told` reads
-- GIVES  nothing
-- @include arg
-- @include now_ms
-- @include told
local env = { kept_events = arg(), now_ms = now_ms() }
for _ = 1, arg() do
  local first, events = arg(), arg()
  local stored = redis.call('HMGET', KEYS[first], 'state', 'events')
  told({ key = KEYS[first], joins = KEYS[first + 1], state = stored[1], events = stored[2] and KEYS[events], env = env })
end
