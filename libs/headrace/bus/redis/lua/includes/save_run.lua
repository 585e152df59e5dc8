-- save_run(run, retention_ms): writes a run's counters back; a drained one is kept for the retention from now.
local function save_run(run, retention_ms)
  redis.call('HSET', run.key, 'in_flight', run.n, 'waiting', run.w)
  if run.drained then redis.call('PEXPIRE', run.key, retention_ms) end
end
