-- record(run): reads one output from the arguments and records it: emit, join, lane or schedule.
-- @include key
-- @include lane
-- @include take_ticket
-- @include pump
-- @include arrive
local function record(run)
  local kind = arg()
  if kind == 'emit' then
    run.n = run.n + 1
    redis.call('XADD', key(), '*', '0', arg())
  elseif kind == 'join' then
    local stream, join, slot, slots = key(), arg(), arg(), {}
    for position = 1, tonumber(arg()) do slots[position] = arg() end
    arrive(run, stream, join, slot, slots, arg())
  elseif kind == 'lane' then
    local target, by_ingress, frame = lane(), arg(), arg()
    local ticket = by_ingress == '1' and redis.call('HGET', run.key, 'ticket:' .. target.name)
    if ticket then
      redis.call('HDEL', run.key, 'ticket:' .. target.name)
    else
      ticket = take_ticket(target)
    end
    run.n = run.n + 1
    redis.call('HSET', target.key, 'p' .. ticket, frame)
    pump(target, run.batch)
  elseif kind == 'schedule' then
    run.n = run.n + 1
    redis.call('ZADD', key(), run.now_ms + tonumber(arg()), arg())
  end
end
