-- count_feeders(run, slot, by): changes how much of a run's work may yet lead to a message for a slot of a join.
local function count_feeders(run, slot, by)
  if redis.call('HINCRBY', run.joins, 'c' .. slot, by) <= 0 then redis.call('HDEL', run.joins, 'c' .. slot) end
end
