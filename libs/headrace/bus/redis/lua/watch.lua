-- watch: registers an inbox as a waiter of a run, unless the run has ended or is unknown.
-- KEYS   1 the run  2 waiters
-- ARGV   trace_id, inbox
-- GIVES  nothing
if redis.call('HGET', KEYS[1], 'state') ~= 'open' then return end
local waiting = redis.call('HGET', KEYS[2], ARGV[1])
if not waiting then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
elseif not string.find(',' .. waiting .. ',', ',' .. ARGV[2] .. ',', 1, true) then
  redis.call('HSET', KEYS[2], ARGV[1], waiting .. ',' .. ARGV[2])
end
