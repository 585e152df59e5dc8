-- end: ends an open run from outside a hop.
-- KEYS   as `env`; then 7 the run  8 its joins; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then trace_id, state, blob, `holds`
-- GIVES  1 this ended it, 0 it is unknown or had ended
-- @include env
-- @include holds
-- @include open_run
-- @include save_run
-- @include end_run
local trace, state, blob = arg(), arg(), arg()
local run = open_run(7, trace, env)
if not run or run.state ~= 'open' then
  redis.call('ZREM', env.deadlines, trace)
  return 0
end
holds(run)
end_run(run, state, blob)
save_run(run)
return 1
