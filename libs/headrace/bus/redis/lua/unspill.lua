-- unspill: records the next outputs of a spill, as a hop's outputs are.
-- KEYS   as `env`; then 7 the group's schedule  8 the spill  9 the run  10 its joins; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then blob of the terminal of a run in which all waits, the spill's member in the schedule, its length, number of
--        the outputs, trace_id, `holds`, what `work` reads
-- GIVES  how many are left; -1 if another has been here, so that nothing was done
-- @include env
-- @include holds
-- @include open_run
-- @include takes_work
-- @include save_run
-- @include work
-- @include close_root
-- @include count_out
env.starved = arg()
local member, length, count, trace = arg(), arg(), arg(), arg()
if redis.call('LLEN', KEYS[8]) ~= length then return -1 end
local run = open_run(9, trace, env)
if not takes_work(run) then
  redis.call('UNLINK', KEYS[8])
  redis.call('ZREM', KEYS[7], member)
  count_out(9, trace, env, length)
  return 0
end
holds(run)
run.n = run.n - count
redis.call('LTRIM', KEYS[8], count, -1)
if count == length then redis.call('ZREM', KEYS[7], member) end
work(run)()
close_root(run)
save_run(run)
return length - count
