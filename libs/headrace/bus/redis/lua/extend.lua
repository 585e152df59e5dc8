-- extend: renews leases, each only where the consumer still holds it by the same token (consumer, times handed out).
-- KEYS   1 the group's stream
-- ARGV   consumer group, consumer, then id and times handed out of each
-- GIVES  1 renewed, 0 lost, for each
local gives = {}
for position = 3, #ARGV, 2 do
  local id = ARGV[position]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  local is_ours = pending and pending[2] == ARGV[2] and pending[4] == tonumber(ARGV[position + 1])
  if is_ours then redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'JUSTID') end
  gives[#gives + 1] = is_ours and 1 or 0
end
return gives
