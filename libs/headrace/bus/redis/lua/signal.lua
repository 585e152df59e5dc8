-- signal: gives a run a signal; what is parked for it goes on.
-- KEYS   1 the run  2 its joins; then the streams that ARGV names by their numbers
-- ARGV   signal, frame, number of groups, name and number of the stream of each
-- GIVES  1 taken, 0 the run is unknown, has nothing under way, or had this signal already
-- @include takes_work
-- @include arg
-- @include key
-- @include resume
local signal, frame, streams = arg(), arg(), {}
for _ = 1, arg() do
  local group = arg()
  streams[group] = key()
end
local stored = redis.call('HMGET', KEYS[1], 'state', 'in_flight', 'suspended')
local run = { state = stored[1], n = tonumber(stored[2] or '0') }
if not takes_work(run) or redis.call('HSETNX', KEYS[2], 'i' .. signal, frame) == 0 then return 0 end
local resumed = 0
for number = 1, tonumber(redis.call('HGET', KEYS[2], 'p' .. signal) or '0') do
  local field = 'p' .. signal .. '#' .. number
  local item = cmsgpack.unpack(redis.call('HGET', KEYS[2], field))
  redis.call('HDEL', KEYS[2], field)
  resume(streams[item[1]], item[2], item[3], frame)
  resumed = resumed + 1
end
redis.call('HDEL', KEYS[2], 'p' .. signal)
if resumed > 0 then redis.call('HSET', KEYS[1], 'suspended', tonumber(stored[3]) - resumed) end
return 1
