-- submit: starts runs, in order; each is atomic on its own.
-- KEYS   as `env`; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then number of runs; a run: number of its key, number of its dead letters' key and the letter that it redrives
--        (0 and nothing for none), length of the rest, trace_id, pipe, plan, inbox, ms until its deadline (0: none), its lanes
--        packed, `tickets`, what `work` reads
-- GIVES  1 a new run, 0 one whose trace_id is there already, or whose letter is gone, which changes nothing
-- @include env
-- @include key
-- @include tickets
-- @include take_ticket
-- @include work
-- @include save_run
local function start(first)
  local trace, pipe, plan, inbox, timeout_ms, lanes = arg(), arg(), arg(), arg(), arg(), arg()
  local run = {
    key = KEYS[first], joins = KEYS[first + 1], trace = trace, state = 'open', n = 0, w = 0, p = 0,
    env = env, batch = env.batch, now_ms = env.now_ms, tickets = tickets(),
  }
  redis.call('HSET', run.key, 'state', 'open', 'pipe', pipe, 'plan', plan, 'created_ms', env.now_ms)
  if lanes ~= '' then redis.call('HSET', run.key, 'lanes', lanes) end
  if timeout_ms > 0 then
    run.has_deadline = true
    redis.call('HSET', run.key, 'deadline_ms', env.now_ms + timeout_ms)
    redis.call('ZADD', env.deadlines, env.now_ms + timeout_ms, trace)
  end
  for _, target in ipairs(run.tickets) do
    redis.call('HSET', run.key, 'ticket:' .. target.name, take_ticket(target))
  end
  if inbox ~= '' then redis.call('HSET', env.waiters, trace, inbox) end
  work(run)()
  save_run(run)
end

local gives = {}
for number = 1, arg() do
  local first, dead, letter = arg(), key(), arg()
  local stop = passage()
  local is_new = redis.call('EXISTS', KEYS[first]) == 0 and (not dead or redis.call('XDEL', dead, letter) == 1)
  if is_new then start(first) else leap(stop) end
  gives[number] = is_new and 1 or 0
end
return gives
