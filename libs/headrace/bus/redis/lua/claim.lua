-- claim: takes over entries whose lease nobody has renewed.
-- KEYS   1 the group's stream
-- ARGV   consumer group, consumer, idle ms, cursor, the most to take
-- GIVES  the next cursor, then an entry each: id, times handed out, fields
local taken = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local gives = { taken[1] }
for _, entry in ipairs(taken[2]) do
  if entry then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    if pending[1] then gives[#gives + 1] = { entry[1], pending[1][4], entry[2] } end
  end
end
return gives
