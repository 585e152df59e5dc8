-- is_gone(side, key): whether a side of a channel was there and is no more; receivers are gone only when the last has left.
local function is_gone(side, key)
  return redis.call('ZCARD', KEYS[key]) == 0 and redis.call('HEXISTS', KEYS[3], side) == 1
end
