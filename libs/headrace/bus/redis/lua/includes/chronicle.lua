-- chronicle(run, ...): adds an event with these fields to the run's; the oldest go when there are too many.
local function chronicle(run, ...)
  local seq = redis.call('HINCRBY', run.key, 'events', 1)
  redis.call('XADD', run.events, 'MAXLEN', run.env.kept_events, string.format('%d-0', seq), 'at', run.env.now_ms, ...)
end
