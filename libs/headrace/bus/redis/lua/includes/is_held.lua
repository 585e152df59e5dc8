-- is_held(): whether a receiver of a channel holds a message that it has not settled.
local function is_held()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', '+inf')) do
    if redis.call('HEXISTS', KEYS[3], 'h' .. id) == 1 then return true end
  end
  return false
end
