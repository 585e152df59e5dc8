-- end: ends an open run from outside a hop.
-- KEYS   1 the run  2 its joins  3 replies; then the keys that ARGV names by their numbers
-- ARGV   retention in ms, lane batch, trace_id, state, blob, number of tickets, a lane each
-- GIVES  1 this ended it, 0 it is unknown or had ended
-- @include arg
-- @include lane
-- @include open_run
-- @include save_run
-- @include end_run
local retention_ms, batch = tonumber(arg()), tonumber(arg())
local run = open_run(1, arg(), { replies = KEYS[3], batch = batch })
if not run or run.state ~= 'open' then return 0 end
local state, blob = arg(), arg()
for position = 1, tonumber(arg()) do run.tickets[position] = lane() end
end_run(run, state, blob)
save_run(run, retention_ms)
return 1
