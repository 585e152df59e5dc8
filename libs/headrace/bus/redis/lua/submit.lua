-- submit: starts runs, in order; each is atomic on its own.
-- KEYS   1 replies  2 waiters; then the keys that ARGV names by their numbers
-- ARGV   lane batch, number of runs; a run: number of its key, trace_id, pipe, plan, inbox, number of tickets, a lane each,
--        number of outputs, each as `record` reads it
-- GIVES  1 a new run, 0 one whose trace_id is there already, which changes nothing
-- @include arg
-- @include lane
-- @include now_ms
-- @include record
-- @include skip
-- @include save_run
-- @include take_ticket
local batch, now, gives = tonumber(arg()), now_ms(), {}

local function start(run, tickets, outputs, pipe, plan, inbox)
  redis.call('HSET', run.key, 'state', 'open', 'pipe', pipe, 'plan', plan, 'created_ms', now)
  for _, target in ipairs(tickets) do
    redis.call('HSET', run.key, 'ticket:' .. target.name, take_ticket(target))
  end
  if inbox ~= '' then redis.call('HSET', KEYS[2], run.trace, inbox) end
  for _ = 1, outputs do record(run) end
  save_run(run, 0)
end

for number = 1, tonumber(arg()) do
  local first, trace, pipe, plan, inbox = tonumber(arg()), arg(), arg(), arg(), arg()
  local run = { key = KEYS[first], joins = KEYS[first + 1], trace = trace, n = 0, w = 0, batch = batch, now_ms = now }
  local tickets = {}
  for position = 1, tonumber(arg()) do tickets[position] = lane() end
  local outputs = tonumber(arg())
  if redis.call('EXISTS', run.key) == 1 then
    for _ = 1, outputs do skip() end
    gives[number] = 0
  else
    start(run, tickets, outputs, pipe, plan, inbox)
    gives[number] = 1
  end
end
return gives
