-- channel_leave: has an end of a channel be gone; what is left for nobody is deleted.
-- KEYS   1 messages  2 returned  3 held  4 senders  5 receivers  6 news  7 room
-- ARGV   side, end, lease in ms, ms that the channel is kept, what it settled last
-- GIVES  1
-- @include see_end
-- @include is_gone
-- @include ring
see_end()
lose_end(ARGV[1] == 'senders' and 4 or 5, ARGV[2], ARGV[5])
local is_unread = is_gone('receivers', 5)
if is_unread then redis.call('DEL', KEYS[1], KEYS[2]) end
if is_unread and is_gone('senders', 4) then redis.call('DEL', KEYS[3]) end
ring(6)
ring(7)
return 1
