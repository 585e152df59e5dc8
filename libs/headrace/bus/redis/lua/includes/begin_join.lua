-- begin_join(run, join, opening, feeds): a join from its first arrival on, or a gather from the opening of its scope, is a piece
-- of work itself for the slots behind it.
-- @include count_feeders
local function begin_join(run, join, opening, feeds)
  redis.call('HSET', run.joins, 'b' .. join.name, opening)
  for _, slot in ipairs(feeds) do count_feeders(run, slot, 1) end
  if join.schedule then redis.call('ZADD', join.schedule, run.now_ms + join.timeout_ms, join.alarm) end
end
