-- unspill: records the next outputs of a spill, as a hop's outputs are.
-- KEYS   as `env`; then 6 the group's schedule  7 the spill  8 the run  9 its joins; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then blob of the terminal of a run in which all waits, the spill's member in the schedule, its length, number of
--        the outputs, trace_id, `tickets`, what `work` reads
-- GIVES  how many are left; -1 if another has been here, so that nothing was done
-- @include env
-- @include tickets
-- @include open_run
-- @include takes_work
-- @include save_run
-- @include work
-- @include close_root
-- @include count_out
env.starved = arg()
local member, length, count, trace = arg(), arg(), arg(), arg()
if redis.call('LLEN', KEYS[7]) ~= length then return -1 end
local run = open_run(8, trace, env)
if not takes_work(run) then
  redis.call('UNLINK', KEYS[7])
  redis.call('ZREM', KEYS[6], member)
  count_out(8, trace, env, length)
  return 0
end
run.tickets = tickets()
run.n = run.n - count
redis.call('LTRIM', KEYS[7], count, -1)
if count == length then redis.call('ZREM', KEYS[6], member) end
work(run)()
close_root(run)
save_run(run)
return length - count
