-- deliver: puts terminal events into inboxes, forgets their waiters and acknowledges the events, as one step an event.
-- KEYS   1 replies  2 waiters; then the inboxes that ARGV names by their numbers
-- ARGV   consumer group, ms that an idle inbox is kept, number of the events that nobody waits for, the id of each, number of the
--        others, of each: id, trace_id, state, blob, number of inboxes, an inbox each
-- GIVES  how many were dealt with now; another coordinator had dealt with the others
-- @include arg
-- @include key
-- @include names
local consumers, keep_ms, dealt = arg(), arg(), 0
local unwaited = names()
if #unwaited > 0 then
  dealt = redis.call('XACK', KEYS[1], consumers, unpack(unwaited))
  redis.call('XDEL', KEYS[1], unpack(unwaited))
end
for _ = 1, arg() do
  local id, trace, state, blob, inboxes = arg(), arg(), arg(), arg(), {}
  for position = 1, arg() do inboxes[position] = key() end
  if redis.call('XACK', KEYS[1], consumers, id) == 1 then
    redis.call('XDEL', KEYS[1], id)
    redis.call('HDEL', KEYS[2], trace)
    for _, inbox in ipairs(inboxes) do
      redis.call('XADD', inbox, '*', 'trace', trace, 'state', state, 'terminal', blob)
      redis.call('PEXPIRE', inbox, keep_ms)
    end
    dealt = dealt + 1
  end
end
return dealt
