-- save_run(run): writes a run's counters back, and its terminal where it ended now; one that has ended and drained, or was abandoned, is kept for the retention from now.
local function save_run(run)
  if run.terminal then
    redis.call('HSET', run.key, 'in_flight', run.n, 'waiting', run.w, 'state', run.state, 'terminal', run.terminal)
  else
    redis.call('HSET', run.key, 'in_flight', run.n, 'waiting', run.w)
  end
  if run.p ~= 0 then redis.call('HSET', run.key, 'suspended', run.p) elseif run.had_parked then redis.call('HDEL', run.key, 'suspended') end
  if run.drained then
    redis.call('PEXPIRE', run.key, run.env.retention_ms)
    if run.events then redis.call('PEXPIRE', run.events, run.env.retention_ms) end
  end
end
