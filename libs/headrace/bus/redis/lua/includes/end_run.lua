-- end_run(run, state, blob): the run's terminal: stored, and told to the replies stream.
-- @include let_go
local function end_run(run, state, blob)
  run.state = state
  redis.call('HSET', run.key, 'state', state, 'terminal', blob)
  redis.call('XADD', run.replies, '*', 'trace', run.trace, 'state', state, 'terminal', blob)
  if state ~= 'completed' then let_go(run) end
end
