-- channel_leave: has an end of a channel be gone; what is left for nobody is deleted.
-- Receivers whose lease has run out may be late, or have an heir: only those that have left want no more.
-- KEYS   1 messages  2 returned  3 held  4 senders  5 receivers  6 news  7 room
-- ARGV   side, end, lease in ms, ms that the channel is kept, what it settled last
-- GIVES  1
-- @include see_end
-- @include is_gone
-- @include ring
see_end()
lose_end(ARGV[1] == 'senders' and 4 or 5, ARGV[2], ARGV[5])
if ARGV[1] == 'receivers' and is_gone('receivers', 5) then
  redis.call('DEL', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[3], 'unread', 1)
end
if redis.call('HEXISTS', KEYS[3], 'unread') == 1 and is_gone('senders', 4) then redis.call('DEL', KEYS[3]) end
ring(6)
ring(7)
return 1
