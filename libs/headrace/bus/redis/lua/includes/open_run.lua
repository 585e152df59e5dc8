-- open_run(key_number, trace, env): a run's counters in hand; nil where it is unknown. `save_run` writes them back.
-- `n` is in flight, `w` of these wait at joins, `p` for signals.
local function open_run(number, trace, env)
  if number == 0 then return nil end
  local stored = redis.call('HMGET', KEYS[number], 'state', 'in_flight', 'waiting', 'suspended', 'deadline_ms', 'counted')
  if not stored[1] then return nil end
  return {
    key = KEYS[number], joins = KEYS[number + 1], trace = trace, tickets = {},
    state = stored[1], n = tonumber(stored[2]), w = tonumber(stored[3]), p = tonumber(stored[4] or '0'),
    has_deadline = stored[5], counted = stored[6], env = env, batch = env.batch, now_ms = env.now_ms,
  }
end
