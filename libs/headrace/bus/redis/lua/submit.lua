-- submit: starts runs, in order; each is atomic on its own.
-- KEYS   as `env`; then the keys that ARGV names by their numbers
-- ARGV   as `env`; then number of runs; a run: number of its key, number of its dead letters' key and the letter that it redrives
--        (0 and nothing for none), pipe, the most open runs of it (0: any number), length of the rest, trace_id, plan, inbox,
--        ms until its deadline (0: none), fingerprint, its lanes packed, its entry message, `holds`, what `work` reads
-- GIVES  1 a new run, 0 one whose trace_id is there already, or whose letter is gone, 2 one that is one too many; both change nothing
-- @include env
-- @include key
-- @include holds
-- @include take_ticket
-- @include work
-- @include save_run
local open_runs, started = {}, {}

local function is_full(pipe, most_open)
  if not open_runs[pipe] then
    local load = redis.call('HMGET', env.admitted, 'started:' .. pipe, 'ended:' .. pipe)
    open_runs[pipe] = tonumber(load[1] or 0) - tonumber(load[2] or 0)
  end
  return open_runs[pipe] >= most_open
end

local function start(first, pipe, is_counted)
  local trace, plan, inbox, timeout_ms, fingerprint, lanes, entry = arg(), arg(), arg(), arg(), arg(), arg(), arg()
  local run = {
    key = KEYS[first], joins = KEYS[first + 1], trace = trace, state = 'open', n = 0, w = 0, p = 0,
    env = env, batch = env.batch, now_ms = env.now_ms,
  }
  holds(run)
  local record = { 'state', 'open', 'pipe', pipe, 'plan', plan, 'created_ms', env.now_ms }
  local function also(field, value)
    record[#record + 1] = field
    record[#record + 1] = value
  end
  if is_counted then
    run.counted = pipe
    also('counted', pipe)
    open_runs[pipe] = open_runs[pipe] + 1
    started[pipe] = (started[pipe] or 0) + 1
  end
  if fingerprint ~= '' then also('fingerprint', fingerprint) end
  if lanes ~= '' then also('lanes', lanes) end
  if entry ~= '' then also('entry', entry) end
  if timeout_ms > 0 then
    run.has_deadline = true
    also('deadline_ms', env.now_ms + timeout_ms)
    redis.call('ZADD', env.deadlines, env.now_ms + timeout_ms, trace)
  end
  if run.events then also('events', 0) end
  for _, target in ipairs(run.tickets) do also('ticket:' .. target.name, take_ticket(target)) end
  redis.call('HSET', run.key, unpack(record))
  if inbox ~= '' then redis.call('HSET', env.waiters, trace, inbox) end
  work(run)()
  save_run(run)
  if is_counted and run.state ~= 'open' then open_runs[pipe] = open_runs[pipe] - 1 end
end

local function answer(first, dead, letter, pipe, most_open)
  if redis.call('EXISTS', KEYS[first]) == 1 then return 0 end
  if most_open > 0 and is_full(pipe, most_open) then return 2 end
  return (not dead or redis.call('XDEL', dead, letter) == 1) and 1 or 0
end

local gives = {}
for number = 1, arg() do
  local first, dead, letter, pipe, most_open = arg(), key(), arg(), arg(), arg()
  local stop = passage()
  gives[number] = answer(first, dead, letter, pipe, most_open)
  if gives[number] == 1 then start(first, pipe, most_open > 0) else leap(stop) end
end
for pipe, count in pairs(started) do redis.call('HINCRBY', env.admitted, 'started:' .. pipe, count) end
return gives
