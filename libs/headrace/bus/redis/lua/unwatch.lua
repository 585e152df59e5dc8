-- unwatch: takes a waiter back.
-- KEYS   1 waiters
-- ARGV   trace_id, inbox
-- GIVES  nothing
local waiting = redis.call('HGET', KEYS[1], ARGV[1])
if not waiting then return end
local others = {}
for inbox in string.gmatch(waiting, '[^,]+') do
  if inbox ~= ARGV[2] then others[#others + 1] = inbox end
end
if #others == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], table.concat(others, ','))
end
