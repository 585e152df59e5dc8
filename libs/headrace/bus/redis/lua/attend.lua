-- attend: a worker says that it is there, and learns whether its group is paused; one that begins sweeps out the silent ones.
-- KEYS   1 workers, 2 paused
-- ARGV   the worker, its group, what it says of itself, 1 if it begins, ms of silence after which a worker is forgotten
-- GIVES  1 where its group is paused, else 0
-- @include now_ms
local now = now_ms()
if ARGV[4] == '1' then
  local said = redis.call('HGETALL', KEYS[1])
  for position = 1, #said, 2 do
    local said_ms = tonumber(string.match(said[position + 1], '^%d+'))
    if now - said_ms > tonumber(ARGV[5]) then redis.call('HDEL', KEYS[1], said[position]) end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return redis.call('HEXISTS', KEYS[2], ARGV[2])
