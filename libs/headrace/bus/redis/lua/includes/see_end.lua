-- see_end(): renews the lease of the end that asks, forgets those whose lease has run out, and keeps the channel.
-- @include now_ms
-- @include lose_end
-- @include ring
local function see_end()
  local now = now_ms()
  for key = 4, 5 do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[key], '-inf', now)) do
      lose_end(key, id, '')
      -- a receiver that fell silent has not closed: what is unread stays for another
      if key == 5 then redis.call('HDEL', KEYS[3], 'receivers') end
      ring(6) -- what it held is there for another, and the last sender may be gone
    end
  end
  redis.call('ZADD', ARGV[1] == 'senders' and KEYS[4] or KEYS[5], now + tonumber(ARGV[3]), ARGV[2])
  redis.call('HSET', KEYS[3], ARGV[1], 1)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
end
