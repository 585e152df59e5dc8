-- count_out(key_number, trace, env, count): work of an abandoned run, or of one that is no longer known, is gone.
local function count_out(number, trace, env, count)
  local stored = number ~= 0 and redis.call('HGET', KEYS[number], 'in_flight')
  local left = math.max(tonumber(stored or '0') - count, 0)
  if stored then redis.call('HSET', KEYS[number], 'in_flight', left) end
  if left == 0 then redis.call('SREM', env.abandoned, trace) end
end
