-- hear: a listener has dealt with the control stream up to an entry; one that begins to listen sweeps out the silent ones.
-- KEYS   1 listeners
-- ARGV   the listener, the entry's id, 1 if it begins, ms of silence after which a listener is gone
-- GIVES  nothing
-- @include now_ms
local now = now_ms()
if ARGV[3] == '1' then
  local said = redis.call('HGETALL', KEYS[1])
  for position = 1, #said, 2 do
    local said_ms = tonumber(string.match(said[position + 1], '%d+$'))
    if now - said_ms > tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], said[position]) end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. now)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
