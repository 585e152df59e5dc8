-- channel_take: takes the oldest message of a channel, or again the one that its end took and has not settled.
-- KEYS   1 messages  2 returned  3 held  4 senders  5 receivers  6 news  7 room
-- ARGV   side, end, lease in ms, ms that the channel is kept, what it settled last
-- GIVES  taken, what settles it, the frame; or closed; or empty and after what to wait for news, and an empty frame
-- @include see_end
-- @include is_gone
-- @include is_held
-- @include ring
-- @include rung
see_end()
local mine = 'h' .. ARGV[2]
local held = redis.call('HGET', KEYS[3], mine)
if held then
  local message = cmsgpack.unpack(held)
  if message[1] ~= ARGV[5] then return { 'taken', message[1], message[2] } end
  redis.call('HDEL', KEYS[3], mine)
end
local packed = redis.call('LPOP', KEYS[2])
local message = packed and cmsgpack.unpack(packed)
if not message then
  local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not entry then
    -- what a receiver holds comes again if that one dies
    if is_gone('senders', 4) and not is_held() then
      if held then ring(6) end -- others wait for what this one held
      return { 'closed', '', '' }
    end
    redis.call('HSET', KEYS[3], 'empty', 1)
    return { 'empty', rung(6), '' }
  end
  redis.call('XDEL', KEYS[1], entry[1])
  message = { entry[1], entry[2][2] }
end
redis.call('HSET', KEYS[3], mine, packed or cmsgpack.pack(message))
if redis.call('HDEL', KEYS[3], 'full') == 1 then ring(7) end
return { 'taken', message[1], message[2] }
