-- channel_join: has an end of a channel be there.
-- KEYS   1 messages  2 returned  3 held  4 senders  5 receivers  6 news  7 room
-- ARGV   side, end, lease in ms, ms that the channel is kept
-- GIVES  1
-- @include see_end
see_end()
return 1
