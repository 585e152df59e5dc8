-- remember: keeps a value under a name of a run that has work; the first one stays.
-- KEYS   1 the run  2 its joins
-- ARGV   name, value
-- GIVES  the value that came first; the given one where the run has no work
-- @include takes_work
local stored = redis.call('HMGET', KEYS[1], 'state', 'in_flight')
local run = { state = stored[1], n = tonumber(stored[2] or '0') }
if not takes_work(run) then return ARGV[2] end
redis.call('HSETNX', KEYS[2], 'm' .. ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[2], 'm' .. ARGV[1])
