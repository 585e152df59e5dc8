-- env: what scripts that change runs share. They start with the same KEYS and ARGV:
-- KEYS   1 replies  2 waiters  3 deadlines  4 abandoned  5 control  6 admitted
-- ARGV   retention in ms, lane batch, the most events kept of a run
-- @include arg
-- @include now_ms
local env = {
  replies = KEYS[1], waiters = KEYS[2], deadlines = KEYS[3], abandoned = KEYS[4], control = KEYS[5], admitted = KEYS[6],
  retention_ms = arg(), batch = arg(), kept_events = arg(), now_ms = now_ms(),
}
