-- rung(key): when a bell of a channel was rung last, to wait for the next time.
local function rung(key)
  local last = redis.call('XREVRANGE', KEYS[key], '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end
