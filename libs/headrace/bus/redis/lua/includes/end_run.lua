-- end_run(run, state, blob): the run's terminal: stored by `save_run`, and told to who waits, or to the replies stream, and to
-- whoever follows the run. Unless the run has completed, what is under way is abandoned, and listeners are told.
-- @include chronicle
-- @include count_end
-- @include let_go
-- @include reply
local function end_run(run, state, blob)
  local env = run.env
  run.state = state
  run.terminal = blob
  reply(env, run.trace, state, blob)
  if run.counted then count_end(env, run.counted) end
  if run.events then chronicle(run, 'state', state, 'terminal', blob) end
  if run.has_deadline then redis.call('ZREM', env.deadlines, run.trace) end
  if state == 'completed' then return end
  let_go(run)
  if run.n > 0 then
    redis.call('SADD', env.abandoned, run.trace)
    redis.call('XADD', env.control, 'MINID', '~', env.now_ms - 120000, '*', 'trace', run.trace)
  end
end
