-- lose_end(key, id, settled): forgets an end; what it held and did not settle is the oldest again.
local function lose_end(key, id, settled)
  redis.call('ZREM', KEYS[key], id)
  local held = redis.call('HGET', KEYS[3], 'h' .. id)
  redis.call('HDEL', KEYS[3], 'h' .. id, 'n' .. id)
  if held and cmsgpack.unpack(held)[1] ~= settled then redis.call('LPUSH', KEYS[2], held) end
end
