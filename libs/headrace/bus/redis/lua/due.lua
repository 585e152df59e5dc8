-- due: the scheduled items that are due by the server's clock.
-- KEYS   1 the schedule
-- ARGV   the most to give
-- GIVES  their members, the longest due first
-- @include now_ms
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
