-- record(run, joins): reads one output from the arguments and records it.
-- @include arg
-- @include key
-- @include lane
-- @include names
-- @include take_ticket
-- @include pump
-- @include begin_join
-- @include arrive
-- @include park
local function record(run, joins)
  local kind = arg()
  if kind == 'emit' then
    run.n = run.n + 1
    redis.call('XADD', key(), '*', '0', arg())
  elseif kind == 'join' then
    arrive(run, joins[arg()], arg(), arg(), names())
  elseif kind == 'open' then
    begin_join(run, joins[arg()], arg(), names())
    run.n = run.n + 1
    run.w = run.w + 1
  elseif kind == 'lane' then
    local target, by_ingress, frame = lane(), arg(), arg()
    local ticket = by_ingress == 1 and redis.call('HGET', run.key, 'ticket:' .. target.name)
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
    redis.call('ZADD', key(), run.now_ms + arg(), arg())
  elseif kind == 'spill' then
    redis.call('PERSIST', key())
    redis.call('ZADD', key(), run.now_ms, arg())
    run.n = run.n + arg()
  elseif kind == 'park' then
    run.n = run.n + 1
    park(run, key(), arg(), arg(), arg(), names())
  end
end
