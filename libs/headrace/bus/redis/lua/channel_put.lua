-- channel_put: puts a message into a channel, unless it is full; one that was put is not put again.
-- KEYS   1 messages  2 returned  3 held  4 senders  5 receivers  6 news  7 room
-- ARGV   side, end, lease in ms, ms that the channel is kept,
--        number of the message at its end, capacity, frame
-- GIVES  put, or closed, or full and after what to wait for room; then a frame, which is empty
-- @include see_end
-- @include is_gone
-- @include ring
-- @include rung
see_end()
local number = tonumber(ARGV[5])
if number <= tonumber(redis.call('HGET', KEYS[3], 'n' .. ARGV[2]) or '0') then return { 'put', '', '' } end
if is_gone('receivers', 5) then return { 'closed', '', '' } end
if redis.call('XLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[6]) then
  redis.call('HSET', KEYS[3], 'full', 1)
  return { 'full', rung(7), '' }
end
redis.call('HSET', KEYS[3], 'n' .. ARGV[2], number)
redis.call('XADD', KEYS[1], '*', 'frame', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if redis.call('HDEL', KEYS[3], 'empty') == 1 then ring(6) end
return { 'put', '', '' }
